-- For wrk: requests of many people in turn, each on a connection of its own.
-- wrk -s sessions.lua URL -- FILE MARKER; FILE has a Cookie header in each line.

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    table.insert(threads, thread)
end

function init(args)
    cookies, marker, served, failed, last = {}, args[2], 0, 0, ""
    for line in io.lines(args[1]) do
        table.insert(cookies, line)
    end
    turn = number * math.floor(#cookies / 2)
end

function request()
    turn = turn % #cookies + 1
    return wrk.format("GET", nil, {Cookie = cookies[turn], Connection = "close"})
end

function response(status, _, body)
    if status == 200 and body:find(marker, 1, true) then
        served = served + 1
    else
        failed, last = failed + 1, tostring(status)
    end
end

function done(summary)
    local served, failed, last = 0, 0, ""
    for _, thread in ipairs(threads) do
        served, failed = served + thread:get("served"), failed + thread:get("failed")
        last = last .. thread:get("last")
    end
    local errors = summary.errors
    print(string.format("result: %d %d %d %s", served, failed,
                        errors.connect + errors.read + errors.write + errors.timeout, last))
end
