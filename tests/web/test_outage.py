"""The database is stopped, frozen or absent at the start, and comes back."""
import re
import time

from test_web import assert_valid

from support.wait import until


def quick(site, path):
    """The reply; a page never waits for the database."""
    start = time.monotonic()
    reply = site.get(path)
    assert time.monotonic() - start < 1, f"{path} took {time.monotonic() - start:.2f} s"
    return reply


def age_of(text):
    found = re.search(r"The database is away; what you see is (\d+) seconds? old", text)
    return int(found.group(1)) if found else None


def test_stopped_database_is_shown_with_the_age_of_the_data(make_site, own_db):
    site = make_site(own_db.conninfo("webd"))
    until(lambda: site.get("/pops/nlams01").text.count("<tr") > 1, 10, "the first history")
    assert age_of(site.get("/pops/status").text) is None
    own_db.stop("immediate")
    stopped = time.monotonic()
    until(lambda: age_of(quick(site, "/pops/status").text) is not None, 10, "the page to say that the database is away")
    first = age_of(quick(site, "/pops/status").text)
    until(lambda: age_of(quick(site, "/pops/status").text) >= first + 2, 5, "the age to grow")
    text = quick(site, "/pops/status").text
    assert abs(age_of(text) - (time.monotonic() - stopped)) <= 3
    assert "has not answered since <time" in text and 'class="state up">Up<' in text
    assert_valid(text, "away")
    pop = quick(site, "/pops/nlams01").text
    assert age_of(pop) is not None and "<h2>History" in pop and 'class="state down">Down<' in pop
    assert age_of(quick(site, "/").text) is not None
    status = quick(site, "/pops/status.json").json
    assert status["database"] == "away" and status["age"] >= first and status["stale"] is False and len(status["pops"]) == 4
    assert status["away_since"]
    health = quick(site, "/healthz")
    assert health.status == 200 and health.text == "ok\ndatabase away\n"
    assert quick(site, "/nosuch").status == 404

    own_db.start()
    until(lambda: age_of(site.get("/pops/status").text) is None, 20, "the page to recover")
    assert site.get("/healthz").text == "ok\ndatabase up\n"
    assert site.log().count("the database is away") == 1 and site.log().count("the database is back") == 1


def test_frozen_database_delays_nobody(make_site, own_db):
    site = make_site(own_db.conninfo("webd"))
    until(lambda: site.get("/pops/status").status == 200, 10, "the first view")
    own_db.freeze()
    try:
        until(lambda: age_of(quick(site, "/pops/status").text) is not None, 10, "the page to say that the database is away")
        for _ in range(20):
            assert quick(site, "/pops/status").status == 200
    finally:
        own_db.thaw()
    until(lambda: age_of(site.get("/pops/status").text) is None, 20, "the page to recover")


def test_pop_with_an_old_report_is_not_shown_as_up(make_site, own_db):
    site = make_site(own_db.conninfo("webd"))
    until(lambda: site.get("/pops/nlams01").text.count("<tr") > 1, 10, "the first history")
    own_db.stop("immediate")
    until(lambda: (age_of(quick(site, "/pops/status").text) or 0) > 45, 60, "the data to be older than a PoP's silence", step=0.5)
    text = quick(site, "/pops/status").text
    assert 'class="state up"' not in text and "Was up" in text and "Was down" in text and "Was disabled" in text
    assert "2 of 4 PoPs were down, 1 was disabled." in text and "The present state of the PoPs is not known" in text
    assert_valid(text, "stale")
    pop = quick(site, "/pops/nlams01").text
    assert "Was up" in pop and "not known" in pop and "at least" in pop
    assert_valid(pop, "stale PoP")
    assert quick(site, "/pops/status.json").json["stale"] is True
    own_db.start()
    until(lambda: 'class="state up">Up<' in site.get("/pops/status").text, 20, "the page to recover")


def test_start_without_a_database(make_site, own_db):
    own_db.stop("immediate")
    site = make_site(own_db.conninfo("webd"))
    for path in "/pops/status", "/pops/nlams01":
        reply = quick(site, path)
        assert reply.status == 503 and reply["Retry-After"] == "5" and reply["ETag"] is None
        assert "The database has not answered yet" in reply.text
        assert_valid(reply.text, "503")
    json = quick(site, "/pops/status.json")
    assert json.status == 503 and json["Retry-After"] == "5" and json.json["pops"] == [] and json.json["error"]
    front = quick(site, "/")
    assert front.status == 200 and "The database has not answered yet" in front.text
    assert_valid(front.text, "front page without data")
    assert quick(site, "/healthz").text == "ok\ndatabase away\n"
    own_db.start()
    until(lambda: site.get("/pops/status").status == 200, 20, "the first view")


def test_password_never_reaches_the_log(make_site, own_db):
    site = make_site(own_db.conninfo("nosuchrole") + " password=verysecret")
    until(lambda: "the database is away" in site.log(), 10, "the log to say so")
    assert "verysecret" not in site.log()
    assert "verysecret" not in site.get("/pops/status").text + site.get("/").text
