"""Drives a real browser over a report and says what it sees.

Usage: drive.py PLAN.json. The plan names the browser, the driver and, for each report, its file,
what kind of check it is for, and what it must hold. Prints one line a check; the status is 1 if one
fails, 77 if selenium is missing, 78 if no browser starts.
"""

import json
import sys
import time
from pathlib import Path

try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError as error:
    print(f"missing: {error}")
    sys.exit(77)

FAILED = []


def check(name, good, seen=""):
    print(f"{'ok' if good else 'FAILED'}: {name}" + ("" if good else f"; seen: {seen!r}"))
    if not good:
        FAILED.append(name)


def start(plan):
    options = Options()
    options.binary_location = plan["browser"]
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1440,900"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(plan["driver"]))


def one(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser, selector):
    found = browser.find_elements(By.CSS_SELECTOR, selector)
    return [element.text for element in found]


def seen(browser, path):
    """Opens a page; returns the console's messages, other requests, and the seconds it took."""
    browser.get("about:blank")
    for kind in ["browser", "performance"]:
        browser.get_log(kind)
    begin = time.monotonic()
    browser.get(Path(path).as_uri())
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    seconds = time.monotonic() - begin
    requests = []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            requests.append(message["params"]["request"]["url"])
    others = [url for url in requests if not url.startswith(("file:", "data:", "about:"))]
    others += [url for url in requests if url.startswith("file:")][1:]
    return browser.get_log("browser"), others, seconds


def renders(browser, report):
    console, requests, seconds = seen(browser, report["file"])
    check("the console is silent", not console, console)
    check("nothing is fetched", not requests, requests)
    title = one(browser, "h1").text
    # Lines are broken elsewhere.
    check("the verdict is the first heading", "".join(title.split()) == "".join(report["verdict"].split()), title)
    wide = browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    check("nothing stands out at the right", wide)
    return seconds


def column(browser, at):
    return texts(browser, f"#table tbody td:nth-child({at})")


def head(browser, at):
    return one(browser, f"#table thead th:nth-child({at})")


def sorts_and_filters(browser, report):
    check("all incidents are counted", f"of {report['incidents']} incident" in one(browser, "#shown").text, one(browser, "#shown").text)
    head(browser, 2).find_element(By.TAG_NAME, "button").click()
    up = column(browser, 2)
    check("a click sorts", up == sorted(up) and head(browser, 2).get_attribute("aria-sort") in ("ascending", "descending"), up)
    way = head(browser, 2).get_attribute("aria-sort")
    head(browser, 2).find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    other = head(browser, 2).get_attribute("aria-sort")
    check("Enter on the head sorts the other way", other != way, (way, other))
    down = column(browser, 2)
    check("the rows stand the other way round", down == sorted(down, reverse=True), down)
    check("one column is the sorted one", len(browser.find_elements(By.CSS_SELECTOR, "#table th[aria-sort]")) == 1)
    field = one(browser, "#filter")
    field.send_keys(report["device"])
    kept = column(browser, 2)
    good = bool(kept) and all(report["device"] in device for device in kept)
    check("the filter keeps what fits", good and f"of {report['incidents_of_device']} incident" in one(browser, "#shown").text, (kept, one(browser, "#shown").text))
    field.clear()
    field.send_keys("no such thing")
    check("the filter says when nothing fits", "No incident fits" in one(browser, "#shown").text)
    field.clear()
    field.send_keys(" ")
    check("an empty filter keeps all", f"of {report['incidents']} incident" in one(browser, "#shown").text)
    field.clear()
    field.send_keys(report["device"])


def opens_a_timeline(browser, report):
    one(browser, "#table tbody tr button").click()
    title = one(browser, ".run-title").text
    check("a row opens its run's timeline", title.startswith(report["device"]), title)
    check("the row is marked", len(browser.find_elements(By.CSS_SELECTOR, "#table tr.open")) >= 1)
    active = browser.execute_script("return document.activeElement.id")
    check("the focus goes to the timeline", active == "timeline-title", active)
    check("the refusal is marked", len(browser.find_elements(By.CSS_SELECTOR, "#lanes .cross")) >= 1)
    for kind in report["shapes"]:
        check(f"drawn: {kind}", len(browser.find_elements(By.CSS_SELECTOR, f"#lanes .{kind}")) >= 1)
    proof = one(browser, "#proof").text
    check("the lines that prove it stand below", report["line"] in proof and report["place"] in proof, proof)
    sentences = texts(browser, ".story p")
    check("the story is told", any("refused: step" in sentence for sentence in sentences), sentences)


def goes_by_keys(browser):
    # From the focused title on: the run's selector is before it, the picture is the next stop.
    item = browser.execute_script(
        "return document.querySelector('#lanes .item[tabindex=\"0\"]').getAttribute('aria-label')")
    for _ in range(4):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if "item" in (browser.switch_to.active_element.get_attribute("class") or ""):
            break
    active = browser.switch_to.active_element
    check("Tab leads into the picture", active.get_attribute("aria-label") == item, active.get_attribute("outerHTML")[:200])
    active.send_keys(Keys.HOME)
    begin = browser.switch_to.active_element.get_attribute("aria-label")
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    active = browser.switch_to.active_element
    check("arrows move on", active.get_attribute("aria-label") != begin, begin)
    check("a hint shows what has the focus", one(browser, "#tip").is_displayed())
    title = active.get_attribute("aria-label").split(". ")[0]
    active.send_keys(Keys.ENTER)
    check("Enter shows its lines", one(browser, "#proof h3").text in title, (title, one(browser, "#proof h3").text))
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    check("Escape takes the hint away", not one(browser, "#tip").is_displayed())
    stops = browser.execute_script("return document.querySelectorAll('#lanes [tabindex=\"0\"]').length")
    check("the picture is one stop of Tab", stops == 1, stops)


def brightness(browser):
    colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in colour[4:-1].split(","))


def switches(browser, report):
    for wanted, bright in [("dark", False), ("light", True)]:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": wanted}]})
        browser.get(Path(report["file"]).as_uri())
        check(f"the system's {wanted} is followed", (brightness(browser) > 384) == bright, brightness(browser))
        one(browser, "#theme").click()
        check(f"the switch turns {wanted} round", (brightness(browser) > 384) != bright, brightness(browser))
        one(browser, "#theme").send_keys(Keys.SPACE)
        check("and back, by key", (brightness(browser) > 384) == bright, brightness(browser))


LUMINANCE = """
const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
const light = (text) => { const [r, g, b] = rgb(text).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$/.test(c) && c !== 'transparent') return c; } return 'rgb(255, 255, 255)'; };
const poor = [];
for (const e of document.querySelectorAll('body *')) {
  if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility() || e.closest('script,style,.unseen,:disabled')) continue;
  const svg = e.namespaceURI.endsWith('svg');
  if (svg && e.tagName !== 'text') continue;
  const a = light(svg ? getComputedStyle(e).fill : getComputedStyle(e).color), b = light(ground(e.closest('svg') ?? e));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.push(ratio.toFixed(2) + ' ' + e.tagName + '.' + (e.getAttribute('class') ?? '') + ' ' + e.textContent.trim().slice(0, 30));
}
return poor;
"""


def is_readable(browser, report):
    for wanted in ["dark", "light"]:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": wanted}]})
        browser.get(Path(report["file"]).as_uri())
        poor = browser.execute_script(LUMINANCE)
        check(f"text has a contrast of 4.5 or more ({wanted})", not poor, poor[:8])
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    browser.get(Path(report["file"]).as_uri())
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    check("420 pixels are wide enough", wide <= 420, wide)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def stays_text(browser, report):
    """Names and lines of logs that look like markup are shown as they are."""
    page = browser.execute_script("return document.body.innerText") + one(browser, "#proof").text
    for text in report["shown"]:
        check(f"shown as text: {text[:40]}", text in page)
    check("no script of a log has run", browser.execute_script("return typeof window.pwned") == "undefined")
    check("no element of a log is there", browser.execute_script("return document.querySelectorAll('img, iframe, b[data-evil]').length") == 0)
    scripts = browser.execute_script("return document.scripts.length")
    check("no script element was added", scripts == 2, scripts)
    browser.execute_script("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.pwned = 1\">')")
    time.sleep(0.3)
    check("the page's policy stops what would get through", browser.execute_script("return typeof window.pwned") == "undefined")


def main():
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        browser = start(plan)
    except WebDriverException as error:
        print(f"missing: no browser starts: {error.msg}")
        sys.exit(78)
    try:
        for report in plan["reports"]:
            print(f"# {report['kind']}")
            seconds = renders(browser, report)
            if report["kind"] == "sample":
                sorts_and_filters(browser, report)
                opens_a_timeline(browser, report)
                goes_by_keys(browser)
                switches(browser, report)
                is_readable(browser, report)
            elif report["kind"] == "hostile":
                stays_text(browser, report)
            elif report["kind"] == "big":
                # A busy machine may be slow once.
                seconds = min(seconds, *(seen(browser, report["file"])[2] for _ in range(2)))
                print(f"opened in {seconds:.2f} s")
                check("it opens in time", seconds < report["seconds"], seconds)
                browser.execute_script("document.querySelector('#after').click()")
                check("it turns its pages", one(browser, "#shown").text.startswith("13 to 24"), one(browser, "#shown").text)
                browser.execute_script(
                    "const s = document.querySelector('#run'); s.selectedIndex = s.options.length - 1; s.dispatchEvent(new Event('change'))")
                proof = one(browser, "#proof").text
                check("a run without its lines says how to see them", "provtrace analyze PATH --device" in proof, proof)
                check("it is drawn all the same", len(browser.find_elements(By.CSS_SELECTOR, "#lanes .refusal")) >= 1)
    finally:
        browser.quit()
    sys.exit(1 if FAILED else 0)


main()
