"""A small site on loopback for tests and evaluations of the browser: a folder's pages, and some that misbehave.

Beside the files it has pages that need a server: a form's results, a sign-in, a list that goes on, redirects, files to
download, odd encodings, answers that are slow, broken, huge or a bomb. Knows nothing of browsers.
"""

import contextlib
import gzip
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv",
    ".txt": "text/plain; charset=utf-8",
    ".js": "text/javascript",
}


class Site(ThreadingHTTPServer):
    """A site on loopback: the files of ``folder`` and pages that misbehave. ``hits`` are its requests."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.folder = folder
        self.hits: list[str] = []
        self.posted: list[str] = []
        self.pages_extra: dict[str, str] = {}  # what a test puts below /extra/

    @property
    def host(self) -> str:
        """As ``--allow-host`` has it."""
        return f"localhost:{self.server_port}"

    def url(self, path: str = "") -> str:
        """A page's address."""
        return f"http://{self.host}/{path.lstrip('/')}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the output is not ours."""

    def do_GET(self) -> None:
        self.server.hits.append(self.path)
        path, _, query = self.path.partition("?")
        given = dict(parse_qsl(query))
        special = getattr(self, "at_" + path.strip("/").split("/")[0].replace("-", "_").replace(".", "_"), None)
        if special is not None:
            special(path, given)
            return
        file = self.server.folder / path.lstrip("/")
        if not file.is_file() or ".." in path:
            self.say("<title>Not found</title><h1>404</h1><p>There is no such page here.", status=404)
            return
        self.say(file.read_bytes(), KINDS[file.suffix])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.posted.append(body)
        given = dict(parse_qsl(body))
        if given.get("user") == "ada" and given.get("password") == "lovelace":
            self.send_response(303)
            self.send_header("Location", "/account")
            self.send_header("Set-Cookie", "who=ada; HttpOnly")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.say("<title>Sign in</title><p>Wrong user name or password.")

    def say(self, text: str | bytes, kind: str = "text/html; charset=utf-8", status: int = 200, **headers: str) -> None:
        body = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def at_(self, path: str, given: dict[str, str]) -> None:
        self.say((self.server.folder / "index.html").read_bytes())

    def at_extra(self, path: str, given: dict[str, str]) -> None:
        self.say(self.server.pages_extra.get(path.rpartition("/")[2], ""))

    def at_redirect(self, path: str, given: dict[str, str]) -> None:
        self.say("", status=302, Location=given["to"])

    def at_status(self, path: str, given: dict[str, str]) -> None:
        self.say("<title>Trouble</title><p>Something went wrong, says the server.", status=int(path.rpartition("/")[2]))

    def at_slow(self, path: str, given: dict[str, str]) -> None:
        time.sleep(float(given["s"]))
        self.say("<title>Slow</title><p>Late but here.")

    def at_broken(self, path: str, given: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"<title>Broken</title><p>The first half is here.</p>" + b"<p>x</p>" * 50)
        self.close_connection = True

    def at_big(self, path: str, given: dict[str, str]) -> None:
        line = "<p>Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt.</p>\n"
        self.say("<title>Big</title><h1>A page of 20 MB</h1>" + line * (20_000_000 // len(line)))

    def at_latin(self, path: str, given: dict[str, str]) -> None:
        page = "<meta charset=windows-1252><title>Ol\u00e1</title><p>Caf\u00e9 \u2013 na\u00efve \u20ac5"
        self.say(page.encode("cp1252"), "text/html")

    def at_shiftjis(self, path: str, given: dict[str, str]) -> None:
        self.say(
            "<title>\u6771\u4eac</title><p>\u6771\u4eac\u306e\u4eba\u53e3".encode("shift_jis"),
            "text/html; charset=shift_jis",
        )

    def at_items(self, path: str, given: dict[str, str]) -> None:
        start = int(given.get("from", 0))
        rows = [f"Item number {n}" for n in range(start, start + 20)] if start < 100 else []
        self.say(json.dumps(rows), "application/json")

    def at_find(self, path: str, given: dict[str, str]) -> None:
        found = {"turbine": "The Halden turbine was built in 1987 by Norvik Works."}.get(
            given.get("q", ""), "Nothing found."
        )
        self.say(f"<title>Results</title><h1>Results for {given.get('q', '')}</h1><p>{found}</p>")

    def at_account(self, path: str, given: dict[str, str]) -> None:
        known = "who=ada" in (self.headers.get("Cookie") or "")
        self.say(
            "<title>Account</title><p>" + ("Hello Ada, your balance is 314 crowns." if known else "Please sign in.")
        )

    def at_report_csv(self, path: str, given: dict[str, str]) -> None:
        self.say(
            b"year,visitors\n2022,410\n2023,455\n2024,502\n",
            "text/csv",
            Content_Disposition='attachment; filename="visitors.csv"',
        )

    def at_paper_pdf(self, path: str, given: dict[str, str]) -> None:
        self.say(make_pdf(["Lichen of the Skerries", "We counted 212 species on 14 islands."]), "application/pdf")

    def at_bomb(self, path: str, given: dict[str, str]) -> None:
        self.say(gzip.compress(b"<p>boom</p>" + b" " * (300 << 20), 9), Content_Encoding="gzip")


def make_pdf(lines: list[str]) -> bytes:
    """A PDF of one page with these lines."""
    drawn = "BT /F1 12 Tf 72 720 Td 16 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    out += f"xref\n0 {size}\n0000000000 65535 f \n{table}{end}"
    return out.encode()
