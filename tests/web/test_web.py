"""What webd says over HTTP while all is well: pages, JSON, headers, tags, refusals, and that every
page is valid HTML."""
import datetime
import re
import subprocess

import html5lib
import pytest
from pages import OTHERS, PAGES

from support.wait import until

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def assert_valid(text, what):
    """Two checkers with nothing in common: tidy without a warning, and the parser of the HTML
    standard in its strict mode."""
    done = subprocess.run(["tidy", "-e", "-q", "-utf8"], input=text, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, f"{what}: {done.stderr}"
    html5lib.HTMLParser(strict=True).parse(text)


def row_of(text, pop):
    row, = [row for row in re.findall(r"<tr.*?</tr>", text, re.S) if f'href="/pops/{pop}"' in row]
    return row


def test_status_shows_up_down_and_disabled(site):
    for path in "/pops/status", "/pops/status/":
        reply = site.get(path)
        assert reply.status == 200 and reply["Content-Type"] == "text/html; charset=utf-8"
        assert "2 of 4 PoPs are down, 1 is disabled." in reply.text
        assert ">Up<" in row_of(reply.text, "nlams01") and "812" in row_of(reply.text, "nlams01")
        assert "Amsterdam, The Netherlands" in row_of(reply.text, "nlams01")
        assert ">Down<" in row_of(reply.text, "uschi02") and "10,240" in row_of(reply.text, "uschi02")
        assert ">Disabled<" in row_of(reply.text, "dedus01") and "Düsseldorf" in row_of(reply.text, "dedus01")


def test_hostile_names_are_only_text(site):
    for path in "/pops/status", "/pops/evil66":
        text = site.get(path).text
        assert "<script" not in text and "<img" not in text and "onclick='" not in text
        assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in text
    pop, = [p for p in site.get("/pops/status.json").json["pops"] if p["name"] == "evil66"]
    assert pop["city"] == '</td><script>alert("x")</script>'


def test_pop_page_has_its_history_newest_first(site):
    for path in "/pops/nlams01", "/pops/nlams01/":
        reply = site.get(path)
        assert reply.status == 200
        assert re.findall(r'class="state \w+">(\w+)<', reply.text.split("<h2>History", 1)[1]) == ["Up", "Down", "Up", "Down"]
        assert 'data-label="For">40 s<' in reply.text and 'data-label="Until">now<' in reply.text


def test_json_is_as_promised(site):
    reply = site.get("/pops/status.json")
    assert reply.status == 200 and reply["Content-Type"] == "application/json"
    status = reply.json
    generated = datetime.datetime.fromisoformat(status["generated"].replace("Z", "+00:00"))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - generated).total_seconds()) < 10
    assert status["database"] == "up" and status["stale"] is False
    assert [(p["name"], p["state"]) for p in status["pops"]] == [("dedus01", "disabled"), ("evil66", "down"), ("nlams01", "up"), ("uschi02", "down")]
    pop = status["pops"][2]
    assert pop["tunnels"] == {"configured": 812, "up": 655, "active": 401}
    assert pop["ipv4"] == "192.0.2.1" and pop["ipv6"] == "2001:db8:100::1" and pop["version"] == "0.1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", pop["since"])


def test_health(site):
    reply = site.get("/healthz")
    assert reply.status == 200 and reply.text == "ok\ndatabase up\n" and reply["Cache-Control"] == "no-store"


def test_pops_leads_to_the_status(site):
    reply = site.get("/pops/")
    assert reply.status == 308 and reply["Location"] == "/pops/status"


@pytest.mark.parametrize("path,status", PAGES + OTHERS)
def test_every_answer_has_the_security_headers(site, path, status):
    for method in "GET", "HEAD", "POST":
        reply = site.get(path, method)
        assert reply.status == (status if method != "POST" or status == 404 and "/pops/" not in path else 405)
        for name, value in SECURITY.items():
            assert reply[name] == value, f"{method} {path}: {name}"
        assert reply["Permissions-Policy"] and reply["Cache-Control"] and reply["Content-Type"] and reply["Date"]
        assert reply["Server"] is None


@pytest.mark.parametrize("path,status", PAGES + OTHERS)
def test_head_is_get_without_the_body(site, path, status):
    def same():
        get, head = site.get(path), site.get(path, "HEAD")
        assert head.status == get.status == status and head.body == b""
        assert [h for h in get.headers.items() if h[0] != "Date"] == [h for h in head.headers.items() if h[0] != "Date"]
        assert int(head["Content-Length"]) == len(get.body)
        return True
    until(same, 5, "GET and HEAD to fall between two refreshes")


def test_tag_is_strong_and_saves_the_body(site):
    def saved():
        first = site.get("/pops/status")
        assert re.fullmatch(r'"[0-9a-f]{32}"', first["ETag"])
        for header in first["ETag"], f'"x", W/{first["ETag"]}', "*":
            again = site.get("/pops/status", headers={"If-None-Match": header})
            assert again.status == 304 and again.body == b"" and again["ETag"] == first["ETag"]
            assert again["Content-Length"] in (None, str(len(first.body))) and again["Cache-Control"] == "no-cache"
        assert site.get("/pops/status", "HEAD", {"If-None-Match": first["ETag"]}).status == 304
        for header in '"x"', first["ETag"].strip('"'), "", '"', first["ETag"] + "x":
            assert site.get("/pops/status", headers={"If-None-Match": header}).status == 200
        return True
    until(saved, 5, "the requests to fall between two refreshes")
    css = site.get("/static/style.css")
    assert site.get("/static/style.css", headers={"If-None-Match": css["ETag"]}).status == 304
    assert "max-age" in css["Cache-Control"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"])
def test_other_methods_are_refused_with_allow(site, method):
    for body in None, b"a=b":
        reply = site.get("/pops/status", method, body=body)
        assert reply.status == 405 and reply["Allow"] == "GET, HEAD" and "Method not allowed" in reply.text
    assert site.get("/nosuch", method).status == 404


def test_body_of_a_get_is_ignored(site):
    assert site.get("/pops/status", body=b"x" * 1000).status == 200


def test_unknown_addresses_are_pages_too(site):
    for path in "/nosuch", "/pops/nosuch", "/pops/status/x", "/static/nosuch", "/../etc/passwd", "/pops/%2e%2e", "/pops/status%00", "//":
        reply = site.get(path)
        assert reply.status == 404 and "Page not found" in reply.text and reply["ETag"] is None, path


def test_query_does_not_matter(site):
    assert site.get("/pops/status?x=%00&y").status == 200
    assert site.get("/?").status == 200


@pytest.mark.parametrize("path,status", PAGES)
def test_pages_are_valid_html(site, path, status):
    reply = site.get(path)
    assert reply.status == status
    assert_valid(reply.text, path)


def test_refused_method_is_valid_html(site):
    assert_valid(site.get("/", "POST").text, "405")


def test_new_pop_appears_and_is_shown_down_when_it_stops(make_site, own_db):
    site = make_site(own_db.conninfo("webd"))
    until(lambda: site.get("/pops/nlams01").status == 200, 10, "the first view")
    own_db.sql("insert into broker.pop (name, ipv4, ipv6) values ('frpar03', '192.0.2.3', '2001:db8:400::1')")
    until(lambda: site.get("/pops/frpar03").status == 200, 5, "the new PoP")
    own_db.sql("update broker.pop_report set at = now() - interval '2 hours' where pop = (select id from broker.pop where name = 'nlams01')")
    until(lambda: ">Down<" in row_of(site.get("/pops/status").text, "nlams01"), 5, "the page to say down")
    until(lambda: re.findall(r'class="state \w+">(\w+)<', site.get("/pops/nlams01").text.split("<h2>History", 1)[1])[:2] == ["Down", "Up"], 5,
          "the history to follow")
    own_db.sql("update broker.pop_report set at = now() where pop = (select id from broker.pop where name = 'nlams01')")
    until(lambda: ">Up<" in row_of(site.get("/pops/status").text, "nlams01"), 5, "the page to say up again")
    until(lambda: re.findall(r'class="state \w+">(\w+)<', site.get("/pops/nlams01").text.split("<h2>History", 1)[1])[:3] == ["Up", "Down", "Up"], 5,
          "the history to follow")


def test_reason_of_a_pop_that_carries_no_packets_is_shown(make_site, own_db):
    site = make_site(own_db.conninfo("webd"))
    until(lambda: site.get("/pops/nlams01").status == 200, 10, "the first view")
    for reason in "IPv6 forwarding is off (sysctl net.ipv6.conf.all.forwarding)", "<b>" + "x" * 200:
        own_db.sql(f"update broker.pop_report set reasons = array['{reason}'] where pop = (select id from broker.pop where name = 'nlams01')")
        shown = reason.replace("<", "&lt;").replace(">", "&gt;")
        until(lambda: shown in row_of(site.get("/pops/status").text, "nlams01"), 5, "the page to say why")
        assert ">Down<" in row_of(site.get("/pops/status").text, "nlams01") and shown in site.get("/pops/nlams01").text
        pop, = [p for p in site.get("/pops/status.json").json["pops"] if p["name"] == "nlams01"]
        assert (pop["state"], pop["reason"]) == ("down", reason)
    pop, = [p for p in site.get("/pops/status.json").json["pops"] if p["name"] == "evil66"]
    assert (pop["state"], pop["reason"]) == ("down", "never reported")


def test_page_without_pops_says_so(make_site, own_db):
    empty = own_db.create("empty")
    empty.migrate()
    site = make_site(empty.conninfo("webd"))
    until(lambda: site.get("/pops/status").status == 200, 10, "the first view")
    text = site.get("/pops/status").text
    assert "There is no PoP yet." in text and "<table" not in text
    assert_valid(text, "no PoP")
    assert site.get("/pops/status.json").json["pops"] == []
