"""The pages in a real browser: nothing breaks the policy, nothing needs a script, everything can be
read on a phone and by everyone."""
import json
import shutil
import tempfile

import pytest
from pages import PAGES
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys

from support.wait import until

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1280,900"]
ADDRESSES = [path for path, _ in PAGES]


class Browser:
    def __init__(self, script=True):
        self.profile = tempfile.mkdtemp(prefix="broker-chromium-", dir="/tmp")
        options = webdriver.ChromeOptions()
        for flag in FLAGS + [f"--user-data-dir={self.profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        if not script:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)

    def look(self, url, width=1280, dark=False):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.driver.get(url)

    def ask(self, script):
        return self.driver.execute_script(script)

    def close(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)


@pytest.fixture(scope="module")
def browser():
    made = Browser()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def scriptless():
    made = Browser(script=False)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("path", ADDRESSES)
def test_console_stays_empty_and_no_other_site_is_requested(browser, site, path):
    browser.driver.get_log("browser")
    browser.driver.get_log("performance")
    browser.look(site.url + path)
    own = [line for line in browser.driver.get_log("browser") if not (path in line["message"] and "404" in line["message"])]
    assert own == []
    events = [json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
             and event["params"]["documentURL"].startswith(site.url)]  # the browser's own first tab asks for things too
    assert site.url + path in asked and all(url.startswith(f"{site.url}/") for url in asked)
    assert browser.ask("return [...document.styleSheets].length") == 1
    assert browser.ask("return getComputedStyle(document.body).marginTop") == "0px"  # the style sheet is in force


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1160, 1280])
@pytest.mark.parametrize("path", ADDRESSES)
def test_no_page_scrolls_sideways(browser, site, path, width):
    browser.look(site.url + path, width)
    wide = browser.ask("""
        const limit = document.documentElement.clientWidth;
        return [document.documentElement.scrollWidth > limit,
            ...[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > limit + 1).map(e => e.outerHTML.slice(0, 100))]""")
    assert wide == [False]


CONTRAST = """
    const parse = c => c.match(/[\\d.]+/g).map(Number);
    const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
    const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c.slice(0, 3); } return [255, 255, 255]; };
    const bad = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; node = walk.nextNode();) {
        if (!node.data.trim()) continue;
        const e = node.parentElement, a = light(parse(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e));
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (ratio < 4.5) bad.push([node.data.trim(), ratio]);
    }
    return bad;"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", ADDRESSES)
def test_text_has_contrast_in_light_and_dark(browser, site, path, dark):
    browser.look(site.url + path, dark=dark)
    background = browser.ask("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(background) < 200) == dark
    assert browser.ask(CONTRAST) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_table_stays_a_table_for_screen_readers(browser, site, width):
    browser.look(site.url + "/pops/status", width)
    nodes = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node.get("ignored")]
    names = [node.get("name", {}).get("value") for node in nodes if not node.get("ignored")]
    assert roles.count("table") == 1 and roles.count("rowheader") == 4
    assert roles.count("columnheader") == 9 and roles.count("main") == 1 and roles.count("navigation") == 1
    assert "Every PoP of this broker" in names
    assert browser.ask("return document.documentElement.lang") == "en"
    assert browser.ask("return [...document.querySelectorAll('h1')].length") == 1


def test_states_differ_by_word_and_shape(browser, site):
    browser.look(site.url + "/pops/status")
    marks = browser.ask("return [...document.querySelectorAll('.pops .state')].map(e => [e.innerText, getComputedStyle(e, '::before').clipPath])")
    shapes = {}
    for word, shape in marks:
        shapes.setdefault(word, set()).add(shape)
    assert set(shapes) == {"Up", "Down", "Disabled"}
    assert all(len(shape) == 1 for shape in shapes.values()) and len(set.union(*shapes.values())) == 3


def test_keyboard_reaches_the_content_first(browser, site):
    browser.look(site.url + "/pops/status")
    browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.ask("return document.activeElement.className") == "skip"
    assert browser.ask("return document.activeElement.getBoundingClientRect().top") >= 0


def test_all_works_without_a_script_and_refreshes_itself(scriptless, site):
    scriptless.look(site.url + "/pops/status", 390)
    source = scriptless.driver.page_source
    assert "nlams01" in source and "2 of 4 PoPs are down" in source
    link = scriptless.driver.find_element("link text", "nlams01")
    link.click()
    until(lambda: scriptless.driver.current_url == f"{site.url}/pops/nlams01", 5, "the link to lead to the PoP")
    moment = scriptless.driver.find_element("css selector", ".asof time").text
    until(lambda: scriptless.driver.find_element("css selector", ".asof time").text != moment, 40, "the page to refresh itself", step=1)
