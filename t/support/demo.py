"""The demo's httpd: its own configuration and pages, on a port of the test's."""

import os
import shutil

from support.httpd import MODULES, Httpd, Log
from support.keycloak import ROOT

CONF = ROOT / "conf/demo/httpd.conf"
PAGES = ROOT / "conf/demo/pages"


class DemoHttpd(Httpd):
    def __init__(self, keycloak):
        super().__init__("", module=os.environ["KCAUTH_MODULE"])
        self.port = keycloak.demo_port
        self.ports = [self.port]
        self.log = Log(self.root / "httpd.log")
        shutil.copytree(PAGES, self.root / "pages")
        (self.root / "modules").mkdir()
        os.symlink(self.module, self.root / "modules/mod_kcauth.so")
        self.write("../httpd.conf", self._names(keycloak) + f'Include "{CONF}"\n')

    def _names(self, keycloak):
        """What conf/demo/up puts into the environment."""
        names = {"DEMO_STATE": self.root, "DEMO_PAGES": self.root / "pages",
                 "KEYCLOAK_PORT": keycloak.port, "HTTPD_PORT": self.port,
                 "HTTPD_MODULES": MODULES, "HTTPD_USER": "www-data", "HTTPD_GROUP": "www-data"}
        return "".join(f'Define {name} "{value}"\n' for name, value in names.items())
