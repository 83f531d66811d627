"""The page in a real Chromium: searching, playing at the right second, by keyboard alone, narrow,
dark, and with titles and queries that would like to be more than text."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av
import numpy as np
import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from howto.demo import DemoSpec, write_demo
from howto.media.probe import probe

from ..conftest import vtt
from .conftest import PATIENCE, TOKEN, Live

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="needs Chromium and its driver: apt-get install chromium chromium-driver",
)

QUERY = "iron the shirt"
HOSTILE = "<img src=x onerror=hacked()>"
SPOKEN = f'press </script><script>hacked()</script> {HOSTILE} & "quotes" \' -->'
RIGHT_TO_LEFT = "قم بطي القميص على الطاولة"
NARROW, WIDE = (360, 740), (1280, 860)


class Page:
    """A browser at one server."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        self.address = address

    def look(self, path: str = "/", size: tuple[int, int] = WIDE, scheme: str = "light") -> "Page":
        """Open a page and wait until it is there."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(self.address + path)
        self.until("return document.documentElement.dataset.ready === 'true'")
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str, *arguments: Any) -> Any:
        """Wait until a script gives something that is true."""
        return WebDriverWait(self.driver, PATIENCE, 0.1).until(
            lambda _: self.run(script, *arguments), f"never true: {script}"
        )

    def settled(self) -> None:
        """Wait until the list of moments is to be seen, and is the one that was asked for last."""
        self.until(
            "const found = document.getElementById('found');return !found.hidden && !found.ariaBusy"
        )

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def plays_from(self, seconds: float) -> None:
        """Assert that the video is going, and began at this second."""
        begun = self.until(
            "const v = document.getElementById('video');"
            "return v.readyState >= 2 && !v.seeking && v.played.length && [v.played.start(0)]"
        )
        assert begun[0] == pytest.approx(seconds, abs=0.3)
        self.until("return document.getElementById('video').currentTime > arguments[0]", seconds)

    def fits(self) -> bool:
        """Nothing is wider than the window."""
        return self.run("return document.documentElement.scrollWidth <= window.innerWidth")

    def complaints(self) -> list[str]:
        """What the browser wrote to its console since it was asked last."""
        return [one["message"] for one in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    try:
        chrome = chromium(tmp_path_factory.mktemp("chromium"))
    except WebDriverException:  # its port was free when it was chosen, and is another's by now
        chrome = chromium(tmp_path_factory.mktemp("chromium"))
    with chrome:
        chrome.set_script_timeout(PATIENCE)
        yield chrome


def chromium(profile: Path) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",  # which is small in many containers: pages crash when it is full
        "--disable-background-networking",
        "--mute-audio",
        "--autoplay-policy=no-user-gesture-required",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(executable_path=DRIVER))


@contextmanager
def served(driver: webdriver.Chrome, folder: Path, *options: str) -> Iterator[Page]:
    with Live(folder, *options) as server:
        driver.get_log("browser")  # what was written before is not ours
        try:
            yield Page(driver, server.address)
        finally:
            driver.get("about:blank")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_video: Callable[..., Path]) -> Path:
    """Two drawn videos, a broken one, and two that mean harm."""
    folder = tmp_path_factory.mktemp("browser") / "videos"
    tasks = ("fold-a-shirt", "make-pancakes")
    write_demo(folder, DemoSpec(tasks=tasks, videos_per_task=1, size=(160, 120), speech=False))
    (folder / "broken.mp4").write_bytes(b"no video at all")
    small_video(folder / f"{HOSTILE}.mp4", shade=4, title=HOSTILE)
    (folder / f"{HOSTILE}.vtt").write_text(
        vtt((1, 3, SPOKEN.replace("&", "&amp;").replace("<", "&lt;")), (4, 6, RIGHT_TO_LEFT))
    )
    long = "averylongnamewithoutanyspaceinit" * 6
    small_video(folder / f"{long}.mp4", shade=6)
    (folder / f"{long}.vtt").write_text(vtt((1, 3, "endless " + "w" * 400)))
    return folder


@pytest.fixture(scope="module")
def page(driver: webdriver.Chrome, folder: Path) -> Iterator[Page]:
    with served(driver, folder) as page:
        yield page


def moments(page: Page) -> list[dict[str, Any]]:
    """What the API answers to the query of the page."""
    script = (
        "const said = new URLSearchParams(location.search);"
        "for (const name of ['play', 'from', 'until']) said.delete(name);"
        "return fetch('/api/search?' + said).then((reply) => reply.json())"
    )
    return page.run(script)["hits"]


def test_a_search_shows_moments_and_a_click_plays_one_at_its_second(page: Page) -> None:
    page.look()
    box = page.driver.find_element(By.ID, "q")
    box.send_keys(QUERY, Keys.ENTER)
    page.until("return document.querySelectorAll('#hits mark').length")
    found = moments(page)
    assert len(page.all("#hits .open")) == len(found)
    assert page.text("#count") == f"{len(found)} moments for {QUERY}"
    place, moment = next((at, one) for at, one in enumerate(found) if one["start"] > 5)
    page.all("#hits .open")[place].click()
    page.plays_from(moment["start"])
    page.run(STAY_AT, moment["start"] + 0.1)  # what is said later is of other moments
    words = page.until(
        "const track = document.getElementById('video').textTracks[0];"
        "return track && track.activeCues && track.activeCues.length && track.activeCues[0].text"
    )
    assert words in moment["caption"]
    assert page.complaints() == []


STAY_AT = """
const video = document.getElementById('video');
video.pause();
video.currentTime = arguments[0];
"""


def test_pictures_of_the_hits_come_by_themselves(page: Page) -> None:
    page.look("/?q=shirt")
    page.until(
        "const all = [...document.querySelectorAll('#hits img')];"
        "return all.length && all.every((one) => one.complete && one.naturalWidth > 100)"
    )


def test_a_neighbouring_moment_plays_at_its_own_second(page: Page) -> None:
    page.look(f"/?q={quote(QUERY)}")
    page.all("#hits .open")[0].click()
    page.plays_from(moments(page)[0]["start"])
    after = page.until(
        "return document.querySelector('#around [aria-current=true]')"
        "?.parentElement.nextElementSibling?.querySelector('button')"
    )
    said = page.run("return arguments[0].querySelector('.time').textContent", after)
    page.run(NOTE_SEEKING)  # in time the video comes to this moment by itself
    page.run("arguments[0].click()", after)
    shown = "return document.getElementById('playing-when').textContent"
    page.until(f"{shown}.startsWith(arguments[0])", f"{said} to ")
    minutes, seconds = said.split(":")
    start = 60 * int(minutes) + int(seconds)
    assert start <= page.until("return window.sought") < start + 10


NOTE_SEEKING = """
const video = document.getElementById('video');
video.onseeking = () => { window.sought = video.currentTime; };
"""


def test_everything_can_be_done_by_keyboard(page: Page) -> None:
    page.look()
    page.press("/")
    assert page.run("return document.activeElement.id") == "q"
    page.press("shirt", Keys.ENTER)
    page.until("return document.querySelectorAll('#hits mark').length")
    found = moments(page)
    assert len(found) > 1
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)  # out of the box, and one on
    second = page.all("#hits .open")[1]
    assert page.driver.switch_to.active_element == second
    page.press(Keys.ENTER)
    page.plays_from(found[1]["start"])
    assert second.get_attribute("aria-current") == "true"
    page.press("k")
    page.until("return document.getElementById('video').paused")
    before = page.run("return document.getElementById('video').currentTime")
    page.press(Keys.ARROW_RIGHT)
    page.until("return document.getElementById('video').currentTime > arguments[0] + 4", before)
    page.press(Keys.ESCAPE)
    assert not page.driver.find_element(By.ID, "player").is_displayed()
    assert page.driver.switch_to.active_element == second
    page.press("?")
    assert page.driver.find_element(By.ID, "keys").is_displayed()
    page.press(Keys.ESCAPE)
    assert not page.driver.find_element(By.ID, "keys").is_displayed()
    page.press("l")
    page.until("return document.querySelector('#library table')")


def test_the_address_is_the_state(page: Page) -> None:
    page.look("/?q=shirt&min_score=0.5")
    assert page.run("return document.getElementById('min-score').value") == "0.5"
    shown = len(page.all("#hits .open"))
    assert shown == len(moments(page)) > 0
    page.driver.find_element(By.LINK_TEXT, "Library").click()
    page.until("return document.querySelector('#library table')")
    page.driver.back()
    page.settled()  # the old list is still there, out of sight
    assert len(page.all("#hits .open")) == shown
    assert page.run("return document.getElementById('q').value") == "shirt"


@pytest.mark.parametrize("path", ["/", "/?q=shirt", "/?q=endless", "/library"])
def test_a_phone_needs_no_sideways_scrolling(page: Page, path: str) -> None:
    page.look(path, NARROW)
    assert page.fits()
    if path.startswith("/?"):
        page.all("#hits .open")[0].click()
        page.until("return document.querySelector('#around button')")
        assert page.fits()
        video = page.driver.find_element(By.ID, "video").rect
        assert video["x"] >= 0
        assert video["x"] + video["width"] <= NARROW[0]


@pytest.mark.parametrize("size", [(360, 400), (768, 400), WIDE], ids=["phone", "tablet", "desk"])
def test_a_moment_below_the_fold_plays_in_sight(page: Page, size: tuple[int, int]) -> None:
    page.look("/?q=fold+shirt+pour+pan", size)
    last = page.all("#hits .open")[-1]
    page.run("arguments[0].scrollIntoView({block: 'end'})", last)
    if size != WIDE:
        assert page.run("return window.scrollY") > 400
    last.click()
    page.until("return document.querySelector('#around button')")
    video = "document.getElementById('video').getBoundingClientRect()"
    page.until(f"return {video}.top >= 0 && {video}.bottom <= window.innerHeight")
    page.press(Keys.ESCAPE)
    assert page.driver.switch_to.active_element == last
    top = page.run("return arguments[0].getBoundingClientRect().top", last)
    assert 0 <= top < size[1]


def test_where_the_player_comes_first_tab_comes_to_it_first(page: Page) -> None:
    order = (
        "return document.getElementById('found').compareDocumentPosition("
        "document.getElementById('player')) & Node.DOCUMENT_POSITION_PRECEDING"
    )
    for size, is_first in ((NARROW, True), (WIDE, False)):
        page.look("/?q=shirt", size)
        page.all("#hits .open")[0].click()
        assert bool(page.run(order)) is is_first
        player, found = (page.driver.find_element(By.ID, one).rect for one in ("player", "found"))
        assert (player["y"] < found["y"]) is is_first
        assert (player["x"] > found["x"]) is not is_first


def test_what_plays_is_said_and_one_key_away(page: Page) -> None:
    page.look("/?q=shirt")
    card = page.all("#hits .open")[1]
    card.click()
    moment = moments(page)[1]
    page.until(
        "return document.getElementById('said').textContent.startsWith(arguments[0])",
        f"Playing {moment['video']} from 0:{int(moment['start']):02}",
    )
    page.press("p")
    assert page.run("return document.activeElement.id") == "player"
    page.press("p")
    assert page.driver.switch_to.active_element == card
    page.run("document.getElementById('to-player').click()")
    assert page.run("return document.activeElement.id") == "player"
    assert page.run("return location.hash") == ""


def test_keys_of_one_letter_can_be_turned_off(page: Page) -> None:
    page.look("/?q=shirt")
    page.press("?")
    page.driver.find_element(By.ID, "single-keys").click()
    page.press(Keys.ESCAPE)
    try:
        for _ in range(2):  # also when the page is loaded again
            page.press("l", "?", "/")
            assert page.run("return location.pathname") == "/"
            assert not page.driver.find_element(By.ID, "keys").is_displayed()
            assert page.run("return document.activeElement.id") != "q"
            page.press(Keys.ARROW_DOWN)
            assert page.driver.switch_to.active_element == page.all("#hits .open")[0]
            page.look("/?q=shirt")
    finally:
        page.run("localStorage.clear()")


def test_the_moment_that_plays_is_in_the_address(page: Page) -> None:
    page.look("/?q=shirt")
    place, moment = next((at, one) for at, one in enumerate(moments(page)) if one["start"] > 5)
    page.all("#hits .open")[place].click()
    page.plays_from(moment["start"])
    address = page.run("return location.pathname + location.search")
    page.look(address)  # as somebody else who was sent it
    page.plays_from(moment["start"])
    assert page.all("#hits .open")[place].get_attribute("aria-current") == "true"
    page.press(Keys.ESCAPE)
    assert page.run("return location.search") == "?q=shirt"


def test_a_moment_in_the_address_needs_no_card(page: Page) -> None:
    page.look("/?q=shirt")
    video_id = moments(page)[0]["video_id"]
    page.look(f"/library?play={video_id}&from=3.5")
    page.plays_from(3.5)
    page.look(f"/?play={quote(HOSTILE)}&from=x")
    assert not page.driver.find_element(By.ID, "player").is_displayed()
    page.look(f"/?play={quote(HOSTILE)}&from=1")
    page.until("return document.getElementById('cannot-why').textContent.includes('no such video')")
    page.complaints()  # of the 404


def test_filters_keep_the_picture_and_do_without_words(page: Page) -> None:
    page.look("/")
    video_id = page.run("return fetch('/api/videos').then((reply) => reply.json())")["videos"][0][
        "video_id"
    ]
    said = "return Object.fromEntries(new URLSearchParams(location.search))"
    page.look(f"/?like={video_id}&at=7.5")
    apply(page, "fold*")
    assert page.run(said) == {"like": video_id, "at": "7.5", "video": "fold*"}
    page.driver.find_element(By.ID, "unlike").click()
    assert page.run(said) == {"video": "fold*"}
    assert not page.driver.find_element(By.ID, "unlike").is_displayed()
    page.look("/")
    apply(page, "make*")
    assert page.run(said) == {"video": "make*"}
    page.driver.find_element(By.ID, "q").send_keys("the", Keys.ENTER)
    assert page.run(said) == {"q": "the", "video": "make*"}
    page.complaints()  # there is no model here, which is a 400


def apply(page: Page, glob: str) -> None:
    page.run("document.getElementById('filters').open = true")
    box = page.driver.find_element(By.ID, "video-glob")
    box.clear()
    box.send_keys(glob)
    page.driver.find_element(By.CSS_SELECTOR, "#filter-form button").click()
    page.settled()  # nothing moves any more under what is clicked next


@pytest.mark.parametrize("size", [NARROW, (360, 560), (768, 600), WIDE])
def test_the_video_hides_nothing_that_has_the_focus(page: Page, size: tuple[int, int]) -> None:
    page.look("/?q=shirt", size)
    page.all("#hits .open")[0].click()
    page.until("return document.querySelector('#around button')")
    page.run("document.getElementById('steps-box').open = true")
    page.run("document.getElementById('player').focus()")
    seen = set()
    for key in [Keys.TAB] * 25 + [Keys.SHIFT + Keys.TAB] * 30:
        page.press(key)
        where = page.run(FOCUS)
        if where is None:
            continue
        name, top, stage, height = where
        seen.add(name)
        assert top >= stage - 1, f"{name} is under the video"
        assert top < height - 20, f"{name} is out of sight"  # of a textarea, the caret's line
        assert page.run(CLOSE_IS_FREE), f"at {name}"
    assert {"steps-list", "around"} <= seen


FOCUS = """
const one = document.activeElement, stage = document.querySelector('.stage');
if (!one.closest('#player') || one.id === 'player' || stage.contains(one)) return null;
const box = one.getBoundingClientRect(), above = stage.getBoundingClientRect();
return [one.id || one.closest('[id]').id, box.top, above.bottom, innerHeight];
"""
CLOSE_IS_FREE = """
const close = document.getElementById('close'), box = close.getBoundingClientRect();
return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === close;
"""


def test_the_player_can_be_closed_wherever_a_phone_has_scrolled_in_it(page: Page) -> None:
    page.look("/?q=shirt", NARROW)
    page.all("#hits .open")[0].click()
    page.until("return document.querySelector('#around button')")
    page.run("document.getElementById('steps-box').open = true")
    page.run("document.getElementById('steps-list').scrollIntoView({block: 'end'})")
    assert page.run("return window.scrollY") > 100
    assert page.run(CLOSE_IS_FREE)
    page.driver.find_element(By.ID, "close").click()
    assert not page.driver.find_element(By.ID, "player").is_displayed()


@pytest.mark.parametrize("rest", ["model=none", "by=words", "video=*", "top=10&min_score=0.1"])
def test_filters_of_the_address_leave_the_first_moment_in_sight(page: Page, rest: str) -> None:
    page.look(f"/?q=shirt&{rest}", NARROW)
    place = (
        "const box = document.querySelector('#hits .open')?.getBoundingClientRect();"
        "return box && [box.top + scrollY, box.bottom + scrollY]"
    )
    before = page.run(place)
    assert before[1] < NARROW[1]
    assert page.text("#filters summary") == f"Filters ({rest.count('=')} set)"
    page.driver.find_element(By.CSS_SELECTOR, "#filters summary").click()
    page.driver.find_element(By.CSS_SELECTOR, "#filter-form button").click()
    page.until("return !document.getElementById('filters').open")
    page.until("return !document.getElementById('found').ariaBusy")
    assert page.run(place) == before


@pytest.mark.parametrize("path", ["/", "/?q=shirt", "/?q=zebra", "/library"])
def test_a_finger_meets_everything(page: Page, path: str) -> None:
    page.look(path, NARROW)
    if "shirt" in path:
        page.all("#hits .open")[0].click()
        page.until("return document.querySelector('#around button')")
    page.until("return location.pathname !== '/library' || document.querySelector('.reason')")
    page.run("for (const one of document.querySelectorAll('details')) one.open = true")
    page.run("document.getElementById('signals').hidden = false")
    page.run("document.getElementById('model-box').hidden = false")
    targets = page.run(TARGETS)
    assert len(targets) > 10
    assert [one for one in targets if min(one[1:]) < 44] == []


TARGETS = """
const all = [...document.querySelectorAll('button, a, input, select, summary, textarea')];
const shown = all.filter((one) => one.checkVisibility() && !one.closest('p, .skip'));
return shown.map((one) => {
  const box = (one.type === 'checkbox' ? one.closest('label') : one).getBoundingClientRect();
  return [one.outerHTML.slice(0, 80), Math.round(box.width), Math.round(box.height)];
});
"""


def test_what_a_score_means_is_said_by_keyboard_too(page: Page) -> None:
    page.look("/?q=shirt")
    page.driver.find_element(By.ID, "q").click()
    for _ in range(8):
        page.press(Keys.TAB)
        if page.run("return document.activeElement.parentElement.id") == "scores":
            break
    explained = page.driver.find_element(By.CSS_SELECTOR, "#scores p + p")
    assert not explained.is_displayed()
    page.press(Keys.ENTER)
    assert explained.is_displayed()
    assert "need not fall" in explained.text
    for path in ("/", "/?q=zebra"):  # where nothing has a score
        page.look(path)
        assert not page.driver.find_element(By.ID, "scores").is_displayed()


def test_who_finds_nothing_is_shown_a_way_on(page: Page) -> None:
    page.look("/?q=zebra")
    page.driver.find_element(By.LINK_TEXT, "See all videos").click()
    page.until("return document.querySelectorAll('#hits .open').length")
    assert page.run("return location.search") == ""
    assert not page.driver.find_element(By.ID, "nothing").is_displayed()


def test_what_a_search_waits_for_is_shown_while_it_lasts(page: Page) -> None:
    page.look("/")
    page.run(BUILDING_IS, {"run": 1, "done": 2, "total": 6, "item": HOSTILE})
    page.until("return !document.getElementById('building').hidden")
    assert page.text("#building-text") == f"Getting 6 videos ready to search: 2 done. {HOSTILE}"
    page.run(BUILDING_IS, {"run": 1, "done": 6, "total": 6, "item": ""})
    page.until("return document.getElementById('building').hidden")


BUILDING_IS = """
const ask = window.reallyAsk ??= window.fetch, building = arguments[0];
window.fetch = async (address, ...rest) => {
  const reply = await ask(address, ...rest);
  if (address !== "/api/indexing") return reply;
  return Response.json({...await reply.json(), building});
};
"""


def test_looking_for_new_files_says_what_came_of_it(page: Page) -> None:
    page.look("/library")
    page.until("return document.querySelector('#library .buttons button')").click()
    page.until("return document.getElementById('outcome').textContent === 'Nothing is new.'")


def test_the_key_lies_in_the_search_box(page: Page) -> None:
    page.look("/")
    key, box = (
        page.driver.find_element(By.CSS_SELECTOR, one).rect for one in ("#search kbd", "#q")
    )
    assert box["x"] < key["x"]
    assert key["x"] + key["width"] < box["x"] + box["width"] - 4
    assert abs(key["y"] + key["height"] / 2 - box["y"] - box["height"] / 2) < 1.5


@pytest.mark.parametrize("kind", ["tab", "window"])  # tabs hide each other, windows do not
def test_many_open_pages_leave_the_server_free(page: Page, kind: str) -> None:
    page.look("/")
    first = page.driver.current_window_handle
    try:
        for _ in range(7):  # a browser has six connections for one server
            page.driver.switch_to.new_window(kind)
            page.look("/?q=shirt")
            assert page.all("#hits .open")
        for one in page.driver.window_handles:
            page.driver.switch_to.window(one)
            shown = page.run("return document.visibilityState === 'visible'")
            assert shown or kind == "tab"
    finally:
        for one in set(page.driver.window_handles) - {first}:
            page.driver.switch_to.window(one)
            page.driver.close()
        page.driver.switch_to.window(first)


def test_a_video_without_captions_may_still_be_told(
    driver: webdriver.Chrome, tmp_path: Path, small_video: Callable[..., Path]
) -> None:
    small_video(tmp_path / "silent.mp4", shade=3)
    with served(driver, tmp_path) as page:
        page.look("/")
        assert "no narration yet" in page.all("#hits .open")[0].text


HOSTILE_QUERIES = [
    HOSTILE,
    SPOKEN,
    "'\"><svg/onload=hacked()>",
    "javascript:hacked()",
    RIGHT_TO_LEFT,
    "\u202eevil\u202c",
    "w" * 400,
    "x" * 600,
]


@pytest.mark.parametrize("query", HOSTILE_QUERIES)
def test_a_query_is_never_more_than_text(page: Page, query: str) -> None:
    page.look(f"/?q={quote(query)}", NARROW)
    refused = len(query) > 500
    assert page.text("#count") == "" if refused else query in page.text("#count")
    assert page.driver.find_element(By.ID, "problem").is_displayed() == refused
    unharmed(page)
    assert page.fits()


def test_a_title_is_never_more_than_text(page: Page) -> None:
    page.look("/?q=press+script")
    hit = next(one for one in page.all("#hits .open") if HOSTILE in one.text)
    assert SPOKEN in hit.text
    hit.click()
    page.until(
        "return document.querySelector('#playing-name').textContent === arguments[0]", HOSTILE
    )
    cue = page.until(
        "const cues = document.getElementById('video').textTracks[0]?.cues;"
        "return cues && cues.length && cues[0].getCueAsHTML().textContent"
    )
    assert cue == SPOKEN
    unharmed(page)
    page.look("/library")
    shown = "return document.querySelector('#library').textContent"
    page.until(f"{shown}.includes(arguments[0])", HOSTILE)
    unharmed(page)


def unharmed(page: Page) -> None:
    """No markup of theirs became an element, and no script of theirs ran, or was stopped."""
    sources = page.run("return [...document.images].map((one) => one.getAttribute('src'))")
    assert all(one.startswith(("/api/", "/static/")) for one in sources)
    scripts = page.run("return [...document.scripts].map((one) => one.getAttribute('src'))")
    assert scripts == ["/static/app.js"]
    assert page.run("return document.querySelectorAll('[onerror], [onload], svg').length") == 0
    assert [one for one in page.complaints() if "status of 400" not in one] == []


def test_light_and_dark_follow_the_system(page: Page) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        page.look("/?q=shirt", scheme=scheme)
        colours = page.run(
            "const style = getComputedStyle(document.body);"
            "return [style.backgroundColor, style.color].map("
            "(one) => one.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0) / 3)"
        )
        brightness[scheme] = colours
        assert abs(colours[0] - colours[1]) > 150  # readable
    assert brightness["light"][0] > 200 > 60 > brightness["dark"][0]


@pytest.mark.parametrize("path", ["/", "/?q=shirt", "/library"])
def test_everything_has_a_name_for_those_who_hear_the_page(page: Page, path: str) -> None:
    page.look(path)
    if "q=" in path:
        page.all("#hits .open")[0].click()
        page.until("return document.querySelector('#around button')")
        assert page.text("#said").startswith("Playing ")  # the live region
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = (
        "button",
        "link",
        "searchbox",
        "slider",
        "combobox",
        "region",
        "complementary",
        "image",
    )
    named = [
        (one["role"]["value"], one.get("name", {}).get("value", ""))
        for one in tree
        if not one.get("ignored") and one.get("role", {}).get("value") in roles
    ]
    assert len(named) > 5
    assert [role for role, name in named if not name.strip()] == []


def test_the_library_page_says_what_failed_and_why(page: Page) -> None:
    page.look("/library")
    page.until("return document.querySelector('.reason')")
    reason = page.all(".reason")[0]
    assert "not a video or sound file" in reason.text
    reason.find_element(By.TAG_NAME, "summary").click()
    assert "broken.mp4" in reason.text


def test_nothing_is_asked_of_anybody_else(page: Page) -> None:
    page.look("/?q=shirt")
    page.all("#hits .open")[0].click()
    page.until("return document.querySelector('#around img')")
    asked = page.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert len(asked) > 8
    assert {one for one in asked if not one.startswith(page.address)} == set()


def test_a_new_file_is_told_of_while_the_page_is_open(
    driver: webdriver.Chrome, videos: Path, small_video: Callable[..., Path]
) -> None:
    with served(driver, videos) as page:
        page.look("/?q=slowly")
        assert page.all("#hits .open") == []
        small_video(videos / "iron.mp4", shade=9)
        (videos / "iron.vtt").write_text(vtt((1, 3, "heat the iron slowly")))
        page.run("return fetch('/api/refresh', {method: 'POST'}).then(() => true)")
        page.until("return document.querySelectorAll('#hits mark').length")
        assert "1 moment" in page.text("#count")


def add_video(page: Page, folder: Path, small_video: Callable[..., Path], name: str) -> None:
    """A new video, seen and told of by the open page."""
    small_video(folder / f"{name}.mp4", shade=20 + len(list(folder.iterdir())))
    (folder / f"{name}.vtt").write_text(vtt((1, 3, f"heat the shirt slowly, says {name}")))
    page.run("document.getElementById('said').textContent = ''")
    page.run("return fetch('/api/refresh', {method: 'POST'}).then(() => true)")
    page.until("return document.getElementById('said').textContent.startsWith('Brought up')")


def test_what_is_typed_and_what_has_the_focus_stay_when_files_come(
    driver: webdriver.Chrome, videos: Path, small_video: Callable[..., Path]
) -> None:
    with served(driver, videos) as page:
        page.look("/?q=shirt")
        box = page.driver.find_element(By.ID, "q")
        box.clear()
        box.send_keys("half a que")
        page.run("document.getElementById('filters').open = true")
        page.driver.find_element(By.ID, "without").send_keys("iron")
        add_video(page, videos, small_video, "first")
        assert any("first" in one.text for one in page.all("#hits .open"))
        assert page.run("return document.getElementById('q').value") == "half a que"
        assert page.run("return document.getElementById('without').value") == "iron"
        assert page.run("return document.activeElement.id") == "without"
        page.run("document.getElementById('filters').open = false")
        page.run("(window.card = document.querySelector('#hits .open')).focus()")
        moment = page.run("return {...card.dataset}")
        add_video(page, videos, small_video, "second")
        assert page.run("return !card.isConnected")
        assert page.run("return {...document.activeElement.dataset}") == moment


def test_beside_an_open_player_the_list_waits_until_it_is_closed(
    driver: webdriver.Chrome, videos: Path, small_video: Callable[..., Path]
) -> None:
    with served(driver, videos) as page:
        page.look("/?q=shirt")
        shown = len(page.all("#hits .open"))
        card = page.all("#hits .open")[0]
        card.click()
        page.until("return document.querySelector('#around button')")
        moment = page.run("return {...arguments[0].dataset}", card)
        add_video(page, videos, small_video, "first")
        assert len(page.all("#hits .open")) == shown
        assert page.driver.find_element(By.ID, "player").is_displayed()
        page.press(Keys.ESCAPE)
        page.until("return document.querySelectorAll('#hits .open').length > arguments[0]", shown)
        assert page.run("return {...document.activeElement.dataset}") == moment


def test_what_comes_of_looking_is_said_on_the_library_page_as_it_is_then(
    driver: webdriver.Chrome, videos: Path, small_video: Callable[..., Path]
) -> None:
    with served(driver, videos) as page:
        page.look("/library")
        page.run("document.getElementById('look-again').focus()")
        add_video(page, videos, small_video, "first")
        page.until("return document.getElementById('outcome').textContent.includes('1 new')")
        assert "first.mp4" in page.text("#library")
        assert page.run("return document.activeElement.id") == "look-again"


LATE_ANSWERS = """
window.reallyAsk ??= window.fetch;
window.fetch = async (address, options = {}) => {
  const late = address.startsWith(arguments[0]);
  const signal = late ? undefined : options.signal; // what was given up may arrive all the same
  const reply = await window.reallyAsk(address, {...options, signal});
  if (late) {
    const body = await reply.json();
    reply.json = async () => body; // all of it is here: once it may come, it comes at once
    await new Promise((done) => { window.letCome = done; });
  }
  return reply;
};
"""


def test_a_list_that_comes_late_changes_no_newer_one(page: Page) -> None:
    page.look("/?q=shirt")
    found = page.text("#count")
    page.run(LATE_ANSWERS, "/api/videos?")
    page.driver.find_element(By.CSS_SELECTOR, ".brand").click()
    page.until("return !!window.letCome")
    page.driver.back()
    page.settled()
    assert page.text("#count") == found
    page.run("letCome(); return new Promise((done) => setTimeout(() => done(1), 300))")
    assert page.text("#count") == found
    assert len(page.all("#hits .open")) == len(moments(page))


@pytest.mark.parametrize("path", ["/", "/library"])
def test_what_was_given_up_keeps_nobody_waiting(page: Page, path: str) -> None:
    page.look("/?q=shirt")
    page.run(LATE_ANSWERS, "/api/search?")
    page.driver.find_element(By.ID, "q").send_keys("s", Keys.ENTER)
    page.until("return !!window.letCome")
    assert page.run("return document.getElementById('found').ariaBusy") == "true"
    link = ".brand" if path == "/" else "nav a"
    page.driver.find_element(By.CSS_SELECTOR, link).click()
    page.until("return !document.getElementById('found').ariaBusy")
    said = page.text("#count")
    page.run("letCome(); return new Promise((done) => setTimeout(() => done(1), 300))")
    assert page.text("#count") == said


SHOWN_IS = """
Object.defineProperty(document, 'visibilityState', {value: arguments[0], configurable: true});
document.dispatchEvent(new Event('visibilitychange'));
"""


def test_a_file_that_came_while_nobody_looked_is_told_of_later(
    driver: webdriver.Chrome, videos: Path, small_video: Callable[..., Path]
) -> None:
    with served(driver, videos) as page:
        page.look("/?q=slowly")
        assert page.all("#hits .open") == []
        page.driver.execute_script(SHOWN_IS, "hidden")
        small_video(videos / "iron.mp4", shade=9)
        (videos / "iron.vtt").write_text(vtt((1, 3, "heat the iron slowly")))
        page.run("return fetch('/api/refresh', {method: 'POST'}).then(() => true)")
        page.until(
            "return fetch('/api/indexing').then((reply) => reply.json())"
            ".then((now) => now.run === 2 && now.state === 'ready')"
        )
        page.driver.execute_script(SHOWN_IS, "visible")
        page.until("return document.querySelectorAll('#hits mark').length")


def test_the_token_is_asked_for_once(driver: webdriver.Chrome, videos: Path) -> None:
    with served(driver, videos, "--token", TOKEN) as page:
        page.driver.get(f"{page.address}/?q=shirt")
        assert page.driver.current_url == f"{page.address}/login?next=%2F%3Fq%3Dshirt"
        page.driver.find_element(By.ID, "token").send_keys("wrong", Keys.ENTER)
        page.until("return document.getElementById('token')?.value === ''")
        page.driver.find_element(By.ID, "token").send_keys(TOKEN, Keys.ENTER)
        page.until("return document.documentElement.dataset.ready === 'true'")
        assert page.driver.current_url == f"{page.address}/?q=shirt"
        assert page.all("#hits .open")
        assert page.run("return document.cookie") == ""
        page.run(SHOWN_IS, "hidden")  # it asks for nothing now but what it is told to
        page.driver.delete_all_cookies()  # as if the server had another token now
        page.driver.find_element(By.ID, "q").send_keys("s", Keys.ENTER)
        page.until("return location.pathname === '/login'")
        assert page.driver.current_url == f"{page.address}/login?next=%2F%3Fq%3Dshirts"


REAL = {
    # file: second at which something is said, and what Chromium makes of it
    "rabbit320.mp4": (3.0, "plays"),
    "rabbit320.webm": (3.0, "plays"),
    "skateboarding_dog.mp4": (6.0, "plays"),
    "v_Basketball_g01_c01.avi": (2.0, "cannot"),
}


@pytest.fixture(scope="module")
def real(
    driver: webdriver.Chrome, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("real")
    for name, (start, _) in REAL.items():
        shutil.copy(shared_data / "videos" / name, folder)
        stem, _, suffix = name.rpartition(".")
        (folder / f"{name}.vtt").write_text(
            vtt((start, start + 2, f"here is {suffix} of {stem.replace('_', ' ')}"))
        )
    with served(driver, folder) as page:
        yield page


@pytest.mark.parametrize("name", [name for name, one in REAL.items() if one[1] == "plays"])
def test_real_videos_play_at_the_right_second(real: Page, name: str) -> None:
    choose(real, name)
    real.plays_from(REAL[name][0])


def test_what_a_browser_cannot_play_is_said_and_a_piece_offered(
    real: Page, shared_data: Path
) -> None:
    length = probe(shared_data / "videos" / "v_Basketball_g01_c01.avi").duration  # under 5 s
    choose(real, "v_Basketball_g01_c01.avi")
    real.until("return document.getElementById('cannot-why').textContent.includes('.avi')")
    assert liked(real)["at"] == "2"
    choose(real, "v_Basketball_g01_c01.avi")
    real.until("return document.getElementById('cannot-why').textContent.includes('.avi')")
    assert "mpeg4" in real.text("#cannot-why")
    real.driver.find_element(By.ID, "encode").click()
    real.plays_from(0)  # of the piece
    piece = real.run("return document.getElementById('video').duration")
    assert piece == pytest.approx(length - 2, abs=0.15)
    cue = real.until(
        "const cues = document.getElementById('video').textTracks[0]?.cues;"
        "return cues && cues.length && [cues[0].startTime, cues[0].endTime]"
    )
    assert cue == pytest.approx([0, 2], abs=0.01)


def choose(page: Page, name: str) -> None:
    page.look("/?q=here")
    hits = json.loads(json.dumps(moments(page)))
    place = next(place for place, hit in enumerate(hits) if hit["video"] == name)
    page.all("#hits .open")[place].click()


def liked(page: Page) -> dict[str, str]:
    """What is asked for by the button for moments that look like this one."""
    said = "Object.fromEntries(new URLSearchParams(location.search))"
    asked = page.run(f"document.getElementById('like').click(); return {said}")
    page.until("return !document.getElementById('found').ariaBusy")
    page.complaints()  # of the 400, where there is no model
    return asked


def test_what_looks_like_a_moment_is_looked_for_with_the_same_filters(page: Page) -> None:
    page.look("/?q=shirt&video=fold*&min_score=0.1&by=words&model=none")
    page.all("#hits .open")[0].click()
    moment = moments(page)[0]
    page.plays_from(moment["start"])
    asked = liked(page)
    assert float(asked.pop("at")) >= int(moment["start"])
    assert asked == {"like": moment["video_id"], "video": "fold*", "min_score": "0.1"}
    page.look(f"/?q=shirt&by=words,pictures&model=any&play={moment['video_id']}&from=2")
    page.plays_from(2)
    assert {"by": "words,pictures", "model": "any"}.items() <= liked(page).items()


def test_of_captions_alone_no_picture_can_be_looked_for(page: Page) -> None:
    page.look("/?q=shirt")
    shown = "return !document.getElementById('like').hidden"
    page.all("#hits .open")[0].click()
    page.until(shown)
    page.run(CAPTIONS_ALONE)
    page.press(Keys.ESCAPE)
    page.all("#hits .open")[0].click()
    page.until("return document.getElementById('cannot-why').textContent.startsWith('Only the')")
    assert not page.run(shown)


CAPTIONS_ALONE = """
const ask = window.fetch;
window.fetch = async (address, ...rest) => {
  const reply = await ask(address, ...rest);
  if (!/^\\/api\\/videos\\/[^/?]+$/.test(address)) return reply;
  return Response.json({...await reply.json(), has_media: false, address: "https://videos.example/"});
};
"""


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_file_that_starts_late_plays_at_the_second_that_is_meant(
    driver: webdriver.Chrome, tmp_path: Path, suffix: str
) -> None:
    late_video(tmp_path / f"late.{suffix}")
    (tmp_path / "late.vtt").write_text(vtt((4, 6, "a shade of grey")))
    with served(driver, tmp_path) as page:
        page.look("/?q=grey")
        page.all("#hits .open")[0].click()
        begun = page.until(
            "const { currentTime, played } = document.getElementById('video'), { length } = played;"
            "return currentTime > arguments[0] && length && played.start(length - 1)",
            4 + LATE,
        )
        assert begun == pytest.approx(4 + LATE, abs=0.3)
        page.run(STAND_STILL)
        page.until(SHOWS_ITS_SECOND, LATE)
        start = page.until(
            "return document.getElementById('video').textTracks[0]?.cues?.[0]?.startTime"
        )
        assert start == pytest.approx(4 + LATE, abs=0.01)


# What plays is painted late where Chromium is short of time, and is not painted again once it is
# paused: so the second is looked for anew, and its picture waited for.
STAND_STILL = """
const video = document.getElementById('video');
video.pause();
video.currentTime = video.currentTime;
"""
SHOWS_ITS_SECOND = """
const video = document.getElementById('video');
const canvas = document.createElement('canvas').getContext('2d');
canvas.drawImage(video, 0, 0, 8, 8);
const second = video.currentTime - arguments[0]; // what howto calls it
return !video.seeking && Math.abs(canvas.getImageData(4, 4, 1, 1).data[0] - 20 * second) <= 8;
"""

LATE = 3  # seconds before the first picture


def late_video(path: Path) -> None:
    """Ten seconds from grey 0 to grey 198, whose clock shows `LATE` at the first picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(100):
            picture = np.full((64, 64, 3), 2 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 1000), 1000 * LATE + 100 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
