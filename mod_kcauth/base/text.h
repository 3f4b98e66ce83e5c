/* Licensed under the Apache License, Version 2.0. See LICENSE. */

/* What base's files share: percent signs (RFC 3986 section 2.1) and ASCII letters. */
#ifndef KC_BASE_TEXT_H
#define KC_BASE_TEXT_H

/** The byte that the escape at `text` ("%41") stands for, or -1. Reads no further than `end`. */
int kc_text_escape(const char *text, const char *end);

/** Turns ASCII capitals into small letters, whatever the locale; returns the text. */
char *kc_text_lower(char *text);

#endif
