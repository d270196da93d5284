"""The live page: what it tells, whom it answers, and what no client can do to it."""

import base64
import http.client
import json
import socket
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

import osim_models
from benchmarks.fuzzed_streams import damaged
from casadi_dynamics.errors import InputError
from sspinn_opensim.live_page import About, LivePage, figure_of, server
from sspinn_opensim.live_page.board import Board
from sspinn_opensim.live_page.curves import groups_of, numbers
from sspinn_opensim.live_page.guard import Guard, guard_of
from sspinn_opensim.live_page.status import Status
from sspinn_opensim.streaming.channels import channels_of_estimate
from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.run import run
from sspinn_opensim.streaming.sources import RecordingSource


@pytest.fixture
def channels(person):
    from sspinn_opensim.estimation import StreamingEstimator

    estimator = StreamingEstimator(person.estimator, person.subject, person.signals)
    motions = [coordinate.motion for coordinate in person.subject.model.coordinates]
    return channels_of_estimate(estimator.coordinates, motions, estimator.actuated, estimator.feet)


@pytest.fixture
def make_page(person, make_live, channels):
    """Return a function: settings to a page of the person, with its live estimator; closed at the end."""
    opened = []

    def make(figure=None, **settings):
        live = make_live()
        about = About("walker", "planar", 100.0, channels, person.subject.body_weight, figure=figure)
        page = LivePage(about, live, {}, **{"port": 0} | settings)
        opened.append(page)
        return page, live

    yield make
    for page in opened:
        if page._thread.is_alive():
            page.close()


@pytest.fixture
def frames(make_live, arrivals, play_to):
    """Return four seconds of estimates."""
    return play_to(make_live(), arrivals(to_row=400))[0]


@pytest.fixture(scope="module")
def figure(person):
    model, file = person.subject.model, osim_models.path("planar_gait.osim")
    sensors = person.subject.functions.imu_frames
    return figure_of(model, file, [], sensors=sensors, feet=("foot_r", "foot_l"), planar=True)


def port_of(page):
    return page.port


def ask(port, path="/", method="GET", host=None, **headers):
    """Return status, headers and content of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    for name in [host] if host is not None else [f"127.0.0.1:{port}"]:
        connection.putheader("Host", name)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


class Reader:
    """Reads the stream of events in a thread."""

    def __init__(self, port, path="/events"):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self.data, self.thread = b"", threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while data := self.connection.recv(1 << 16):
            self.data += data
        self.connection.close()

    def events(self):
        """Return (kind, value) of all that was told."""
        _, _, body = self.data.partition(b"\r\n\r\n")
        found = []
        for block in body.decode().split("\n\n")[:-1]:
            if block.startswith("event: "):
                kind, _, value = block.removeprefix("event: ").partition("\ndata: ")
                found.append((kind, json.loads(value)))
        return found

    def until(self, kind, count=1, seconds=10.0):
        """Wait until so much of a kind was told, and return it."""
        ends = time.monotonic() + seconds
        while len(found := [value for name, value in self.events() if name == kind]) < count:
            assert time.monotonic() < ends, f"no {kind}"
            time.sleep(0.01)
        return found


# --- what is told


def test_what_is_told_of_a_frame_is_the_estimate(make_page, frames, channels):
    page, _ = make_page()
    reader = Reader(port_of(page))
    (setup,) = reader.until("setup")
    for start in range(0, len(frames), 80):  # in less than a second's worth, so that none is left out
        for frame in frames[start : start + 80]:
            page.take(frame)
        ends = time.monotonic() + 5.0
        while sum(map(len, reader.until("rows"))) < start + 80 and time.monotonic() < ends:
            time.sleep(0.01)
    page.close()
    reader.thread.join(5)
    rows = np.array([row for rows in reader.until("rows") for row in rows], float)
    assert len(rows) == len(frames)
    np.testing.assert_allclose(rows[:, 0], [frame.time_s - frames[0].time_s for frame in frames], atol=1e-4)
    assert rows[:, 2].tolist() == [2.0 if frame.late else 0.0 for frame in frames]
    knee = next(c for c in setup["groups"][0]["charts"] if c["key"] == "knee_angle")
    assert (
        knee["unit"] == "deg" and knee["shown"] and [c["side"] for c in knee["curves"]] == ["right", "left"]
    )
    place = channels.coordinates.index("knee_angle_l")
    expected = np.degrees([frame.estimate.q[place] for frame in frames])
    np.testing.assert_allclose(rows[:, 3 + knee["curves"][1]["column"]], expected, atol=5.1e-4)
    up = next(c for c in setup["groups"][2]["charts"] if c["key"] == "y")
    assert [c["side"] for c in up["curves"]] == ["right", "left"] and up["mark"] > 500
    expected = [frame.estimate.ground.force[:, 1] for frame in frames]
    np.testing.assert_allclose(rows[:, [3 + c["column"] for c in up["curves"]]], expected, atol=5.1e-4)
    moment = next(c for c in setup["groups"][1]["charts"] if c["key"] == "ankle_angle")
    place = list(channels.moments).index("ankle_angle_r_moment")
    expected = [frame.estimate.moments[place] for frame in frames]
    np.testing.assert_allclose(rows[:, 3 + moment["curves"][0]["column"]], expected, atol=5.1e-4)
    assert reader.events()[-1][0] == "end"


def test_every_number_of_a_frame_has_one_place(channels, frames):
    titles = {group.key: [chart.title for chart in group.charts] for group in groups_of(channels, 700.0)}
    assert titles["forces"] == ["Up (y)", "Forward (x)", "Right (z)"], "what a third of the page has room for"
    columns = [c.column for g in groups_of(channels, 700.0) for chart in g.charts for c in chart.curves]
    assert len(set(columns)) == len(columns)
    assert max(columns) < len(numbers(channels, frames[0]))
    assert len(columns) == len(channels.coordinates) + len(channels.moments) + 6


def test_the_body_is_where_the_estimate_has_it(make_page, frames, figure, channels):
    page, _ = make_page(figure)
    reader = Reader(port_of(page))
    (setup,) = reader.until("setup")
    reader.until("status")
    page.take(frames[100])
    pose = np.frombuffer(base64.b64decode(reader.until("pose")[0]), "<f4")
    assert len(pose) == setup["scene"]["frame_floats"] and setup["view"] == "side"
    root = 7 * setup["scene"]["root"]
    places = [channels.coordinates.index(name) for name in ("pelvis_tx", "pelvis_ty")]
    np.testing.assert_allclose(pose[root : root + 2], frames[100].estimate.q[places], atol=1e-6)
    forces = 7 * len(setup["scene"]["bodies"])
    assert setup["scene"]["forces"] == ["foot_r", "foot_l"]
    np.testing.assert_allclose(pose[forces + 3 : forces + 6], frames[100].estimate.ground.force[0], rtol=1e-6)


def test_whoever_comes_later_is_told_the_past(make_page, frames):
    page, _ = make_page()
    for frame in frames:
        page.take(frame)
    page.tell(Event(1.0, "began", "All sensors are there.", ()))
    time.sleep(0.3)
    reader = Reader(port_of(page))
    assert len(reader.until("rows")[0]) == len(frames)
    (event,) = reader.until("happened")
    assert event["text"] == "All sensors are there." and event["kind"] == "began"


def test_a_slow_reader_misses_frames_and_memory_is_bounded():
    board = Board({}, kept_rows=50, most_rows=10)
    reader = board.follow()
    assert b"setup" in next(reader)
    next(reader)
    for k in range(1000):
        board.put([b"[%d]" % k], {"pose": k}, [])
    news = next(reader)
    assert news.count(b"[") == 11 and b"[999]" in news and b"[989]" not in news
    assert news.count(b"event: pose") == 1 and b"data: 999\n" in news
    for _ in range(300):
        board.put([], {}, [{"text": "x"}])
    assert next(reader).count(b"event: happened") == 100
    board.end()
    assert next(reader).startswith(b"event: end") and len(board._rows) == 50


def test_status_says_what_is_the_matter(make_live, arrivals):
    """From nothing, through an estimate and a dead sensor, to its return; told as it is in words."""
    live = make_live()
    status, said, now = Status(live.sensors.names, 0.0), [], 999.9
    for arrived, sample in sorted(arrivals(to_row=1300, dead=[(3, 4.0, 7.0)]), key=lambda pair: pair[0]):
        while now < arrived:
            for found in live.advance(now):
                if isinstance(found, Event):
                    status.happened(found)
            now += 0.005
            if round(now / 0.005) % 100 == 0:
                told = status.now(live, {"no JSON": 2}, now)
                said.append((told["state"], told["sensors"][3]["state"]))
        live.take(sample, arrived)
    assert said[0] == ("waiting", "missing")
    order = [state for k, (state, _) in enumerate(said) if k == 0 or said[k - 1][0] != state]
    assert order in (
        ["waiting", "estimating", "withdrawn", "estimating"],
        ["waiting", "estimating", "bridging", "withdrawn", "estimating"],
    )
    assert ("withdrawn", "silent") in said and said[-1] == ("estimating", "fine")
    assert told["refused"] == {"no JSON": 2} and told["frames_hz"] == pytest.approx(100, abs=5)
    assert told["sensors"][0]["rate_hz"] == pytest.approx(100, abs=5)


# --- whom it answers


@pytest.mark.parametrize(
    ("path", "hosts", "origins", "inside"),
    [
        ("/", ["127.0.0.1:8600"], [], ""),
        ("/live.js?x=1", ["localhost:9000"], [], "live.js"),
        ("/", ["[::1]:8600"], [], ""),
        ("/", ["127.0.0.1:8600"], ["http://127.0.0.1:8600"], ""),
        ("/", ["127.0.0.1:8600"], ["http://127.0.0.1:3000"], None),
        ("/", ["127.0.0.1:8600"], ["null"], None),
        ("/", ["evil.example:8600"], [], None),
        ("/", ["127.0.0.1.evil.example"], [], None),
        ("/", [], [], None),
        ("/", ["127.0.0.1", "evil.example"], [], None),
        ("http://127.0.0.1/", ["127.0.0.1"], [], None),
        ("*", ["127.0.0.1"], [], None),
    ],
)
def test_who_is_answered_on_this_machine(path, hosts, origins, inside):
    assert guard_of("127.0.0.1").inside(path, hosts, origins) == inside


@pytest.mark.parametrize(
    ("path", "host", "inside"),
    [
        ("/secret/", "192.0.2.1:8600", ""),
        ("/secret/live.js", "lab", "live.js"),
        ("/", "lab", None),
        ("/live.js", "lab", None),
        ("/secre/live.js", "lab", None),
        ("/secrets/live.js", "lab", None),
        ("/%73ecret/", "lab", None),
        ("/sécret/", "lab", None),
        ("/secret/", "evil.example", None),
    ],
)
def test_who_is_answered_with_a_token(path, host, inside):
    assert Guard("secret", frozenset({"lab"}), any_address=True).inside(path, [host], []) == inside


def test_beyond_this_machine_there_is_a_token_of_its_own():
    assert guard_of("localhost").token == guard_of("::1").token == ""
    tokens = {guard_of("0.0.0.0").token for _ in range(3)}
    assert len(tokens) == 3 and all(len(token) >= 32 for token in tokens)
    with pytest.raises(InputError, match="no such host"):
        guard_of("no.such.host.invalid")


def test_only_files_of_the_page_are_there(make_page):
    port = port_of(make_page()[0])
    status, headers, content = ask(port)
    assert status == 200 and b"live.js" in content and headers["Content-Type"].startswith("text/html")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff" and "Python" not in str(headers)
    assert ask(port, "/live.js")[0] == ask(port, "/live.css?a=b")[0] == 200
    for path in (
        "/../page.py",
        "/live.js/../../page.py",
        "/%2e%2e/page.py",
        "/..%2fpage.py",
        "//etc/passwd",
        "/./live.js",
        "/live.html",
        "/assets/live.js",
        "/\\..\\page.py",
    ):
        assert ask(port, path)[::2] == (404, b"404\n"), path
    assert ask(port, method="POST")[0] == ask(port, method="OPTIONS")[0] == 501


def test_others_names_and_pages_are_refused(make_page):
    port = port_of(make_page()[0])
    assert ask(port, host="evil.example")[::2] == (403, b"403\n")
    assert ask(port, "/events", Origin="http://evil.example")[0] == 403
    assert ask(port, "/live.js", Origin=f"http://127.0.0.1:{port}")[0] == 200


def test_without_its_token_nothing_is_told(make_page):
    page, _ = make_page(host="0.0.0.0")
    port, token = port_of(page), page.url.rsplit("/", 2)[1]
    assert len(token) >= 32
    answers = {
        ask(port, path)[::2]
        for path in ("/", "/events", "/live.js", "/nothing", f"/{token[:-1]}/", f"/{token}x/", f"/{token}")[
            :-1
        ]
    }
    assert answers == {(403, b"403\n")}
    assert ask(port, f"/{token}/")[0] == ask(port, f"/{token}/live.js")[0] == 200
    assert Reader(port, f"/{token}/events").until("setup")


def test_a_port_that_is_taken_is_refused(make_page):
    page, _ = make_page()
    with pytest.raises(InputError, match="cannot be shown"):
        make_page(port=port_of(page))


# --- what no client can do


def test_a_client_that_never_reads_delays_nothing_and_is_cut_off(make_page, frames, monkeypatch):
    monkeypatch.setattr(server, "_SEND_S", 0.5)
    page, _ = make_page()
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.connect(("127.0.0.1", port_of(page)))
    lazy.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    other = Reader(port_of(page))
    other.until("setup")
    ends, taken = time.monotonic() + 20.0, []
    while page._board.readers < 2:
        time.sleep(0.01)
    while page._board.readers > 1:
        assert time.monotonic() < ends, "it is not cut off"
        for frame in frames:
            began = time.thread_time()
            page.take(frame)
            taken.append(time.thread_time() - began)
        time.sleep(0.02)
    assert np.median(taken) < 1e-4  # two clocks and one append; microseconds on any machine
    assert len(page._frames) <= page._frames.maxlen and len(page._board._rows) <= 2000
    assert other.thread.is_alive()
    lazy.close()


def test_whoever_does_not_ask_is_cut_off(make_page, monkeypatch):
    monkeypatch.setattr(server, "_REQUEST_S", 0.3)
    page, _ = make_page()
    slow = socket.create_connection(("127.0.0.1", port_of(page)), timeout=10)
    began = time.monotonic()
    try:
        for letter in b"GET / HTTP/1.1\r\nHost: localhost\r\n" * 100:
            slow.sendall(bytes([letter]))
            time.sleep(0.05)
    except OSError:
        pass
    assert time.monotonic() - began < 60.0  # all that it would say takes 170 s
    slow.close()


def test_too_many_are_turned_away(make_page):
    page, _ = make_page()
    readers = [Reader(port_of(page)) for _ in range(8)]
    for reader in readers:
        reader.until("setup")
    assert ask(port_of(page), "/events")[0] == 503 and ask(port_of(page))[0] == 200
    waiting = [socket.create_connection(("127.0.0.1", port_of(page)), timeout=10) for _ in range(40)]
    time.sleep(0.5)
    assert len(page._server._due) <= 32
    for connection in waiting:
        connection.close()
    page.close()
    for reader in readers:
        reader.thread.join(5)
        assert reader.events()[-1][0] == "end"


_PIECES = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"GET /live.js HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\nExpect: 100-continue\r\n\r\n",
    b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\nx",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)
_BITS = (
    b"\r\n",
    b"\0",
    b"/../",
    b"%00",
    b"HTTP/9.9",
    b"Host: evil\r\n",
    b" ",
    b"\xff\xfe",
    b"A" * 3000,
    b":",
)


@pytest.mark.slow
def test_ten_thousand_damaged_requests_stop_nothing_and_learn_nothing(make_page, frames, capfd):
    """With a token, so that no answer may hold more than a number."""
    page, _ = make_page(host="0.0.0.0")
    port, token = port_of(page), page.url.rsplit("/", 2)[1].encode()
    random, answers, threads = np.random.default_rng(4), [], threading.active_count()
    for k in range(10_000):
        if k % 25 == 0:
            page.take(frames[k % len(frames)])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            try:
                client.sendall(damaged(random, _PIECES[random.integers(len(_PIECES))], _BITS))
                client.shutdown(socket.SHUT_WR)
                answer = b""
                while data := client.recv(65536):
                    answer += data
            except OSError:  # it was closed before all was sent
                continue
            answers.append(answer)
    told = [answer for answer in answers if answer]
    assert len(told) > 2_000 and not any(token in answer for answer in told)
    statuses = {int(answer.split(b" ", 2)[1]) for answer in told if answer.startswith(b"HTTP/")}
    assert statuses <= {100, 400, 403, 414, 431, 501, 505} and 403 in statuses
    bodies = {answer.rpartition(b"\r\n\r\n")[2] for answer in told}
    # Of the oldest protocol the number is all there is.
    assert bodies <= {b"%d\n" % status for status in (400, 403, 414, 431, 501, 505)}
    ends = time.monotonic() + 10.0
    while (page._server._due or threading.active_count() > threads) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not page._server._due and threading.active_count() <= threads
    assert Reader(port, f"/{token.decode()}/events").until("rows")
    assert "Traceback" not in capfd.readouterr().err


def test_the_stream_ends_with_readers_and_without(person, make_page):
    page, live = make_page()
    reader, before = Reader(port_of(page)), threading.active_count()
    summary = run(RecordingSource(person.recording, person.sent, speed=20.0), live, [page])
    assert summary.estimated == len(person.recording.time_s) and before > 2
    reader.thread.join(5)
    assert reader.events()[-1][0] == "end" and not page._thread.is_alive()
    last = [value for kind, value in reader.events() if kind == "status"][-1]
    assert last["estimated"] == summary.estimated and last["latency_ms"]["path"]["p99"] > 0
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port_of(page)), timeout=2).close()


# --- in a browser


@pytest.mark.parametrize("dark", [False, True])
def test_in_a_browser(person, make_page, figure, chromium, tmp_path, dark):
    """It loads from its own address alone, says nothing to the console, and frames keep coming."""
    page, live = make_page(figure)
    source = RecordingSource(person.recording, person.sent)
    streaming = threading.Thread(target=run, args=(source, live, [page]), kwargs={"seconds": 20.0})
    streaming.start()
    with chromium(1400, 900, dark=dark) as browser:
        browser.open(page.url)
        browser.until("window.livePage && livePage.rows.length > 50")
        counts = "[livePage.counts.rows, livePage.counts.curves, livePage.counts.poses]"
        before, estimated = browser.value(counts), live.estimated
        time.sleep(2.0)
        estimated = live.estimated - estimated
        time.sleep(0.2)
        after = browser.value(counts)
        # All that is estimated arrives, 100 a second where the machine has time for it. How many pictures
        # there are in a second is for an idle machine to say: benchmarks/streaming.py.
        assert after[0] - before[0] >= 0.9 * estimated > 0
        assert after[1] > before[1] and after[2] > before[2]
        # Curves that are held have not moved by a pixel.
        browser.value("document.getElementById('hold').click()")
        time.sleep(0.2)
        held = browser.value("livePage.counts.curves")
        time.sleep(0.5)
        assert browser.value("livePage.counts.curves") == held
        browser.value("document.getElementById('hold').click()")
        assert browser.value("document.querySelectorAll('#scene canvas').length") == 1
        assert browser.until("document.getElementById('state-word').textContent") == "Estimating"
        assert browser.value("document.querySelectorAll('#charts canvas').length") == 8
        assert browser.value("document.querySelectorAll('#sensor-rows tr').length") == 7
        assert "75 ms" in browser.value("document.getElementById('verdict').textContent")
        ink = browser.value(
            "[...document.querySelector('#charts canvas').getContext('2d')"
            ".getImageData(0, 0, 200, 100).data].filter((x) => x).length"
        )
        assert ink > 1000
        # Curves from -25 to 30 have an axis from -40 to 40, where 50 is a round step too.
        browser.value("import('./chart.js').then((module) => { window.chartModule = module; }) && 0")
        browser.until("window.chartModule !== undefined")
        low, high, step = browser.value(
            "(() => { const chart = new chartModule.Chart(null, { curves: [{ column: 0 }], mark: null, "
            "least_span: 1 }); chart.scale([[0, 0, 0, -25], [1, 0, 0, 30]], 0, 0); "
            "return [chart.low, chart.high, chart.step]; })()"
        )
        assert (low, high, step) == (-40, 40, 20)
        paper = browser.value("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(18, 24, 31)" if dark else "rgb(255, 255, 255)")
        browser.value("document.querySelector('#choices input').click()")
        assert browser.value("document.querySelectorAll('#charts canvas').length") in {7, 9}
        assert browser.screenshot(tmp_path / "page.png").stat().st_size > 20_000
        page.tell(Event(9.0, "withdrawn", "Nothing comes from 'foot_r' <b>.", ("foot_r",)))
        browser.until("document.getElementById('state').classList.contains('withdrawn')")
        assert "<b>" in browser.value("document.getElementById('events').textContent")
        streaming.join()
        browser.until("document.getElementById('state-word').textContent == 'Ended'", 60.0)
        assert browser.errors == []
        asked = {address.rpartition("/")[0] + "/" for address in browser.requests if address[:5] != "data:"}
        assert asked == {page.url}


def test_hostile_names_run_nothing_in_a_browser(person, make_live, channels, figure, frames, chromium):
    """Names of study, model, sensors and coordinates, what happened, and notes of meshes."""
    hostile = "</title></svg></script><svg/onload=window.owned=1><script>window.owned=1</script>\x1b[2J"
    hostile += "<img src=x onerror=window.owned=1>"
    live = make_live()
    live.sensors = replace(live.sensors, names=tuple(f"{hostile}{name}" for name in live.sensors.names))
    named = replace(
        channels,
        coordinates=tuple(f"{hostile}{name}" for name in channels.coordinates),
        moments=tuple(f"{hostile}{name}" for name in channels.moments),
    )
    scene = figure.scene | {"name": hostile, "notes": [hostile]}
    about = About(hostile, hostile, 100.0, named, 700.0, figure=replace(figure, scene=scene))
    page = LivePage(about, live, {hostile: 3}, port=0)
    try:
        with chromium(1400, 900) as browser:
            browser.open(page.url)
            browser.until("document.querySelectorAll('#sensor-rows tr').length == 7")
            for frame in frames[:50]:
                page.take(frame)
            page.tell(Event(9.0, "withdrawn", hostile, (live.sensors.names[0],)))
            browser.until("document.getElementById('state').classList.contains('withdrawn')")
            browser.until("livePage.rows.length > 10")
            for place in ("title", "about", "choices", "charts", "sensor-rows", "events", "refused", "state"):
                shown = browser.value(f"document.getElementById('{place}').textContent")
                assert hostile.replace("_", " ") in shown.replace("_", " "), place
            assert browser.value("document.title").startswith(hostile[:40])
            assert browser.value("window.owned") is None
            assert browser.value("document.querySelectorAll('img, svg[onload]').length") == 0
            assert browser.errors == []
            asked = {
                address.rpartition("/")[0] + "/" for address in browser.requests if address[:5] != "data:"
            }
            assert asked == {page.url}
    finally:
        page.close()
