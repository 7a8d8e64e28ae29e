"""Which format a log has, and what was put before its lines."""

import json
from datetime import UTC
from pathlib import Path

import pytest

from analytics.ingest.access_log.formats import FORMATS, MAX_LINE, recognise
from analytics.ingest.access_log.prefixes import PREFIXES
from analytics.ingest.access_log.requests import Malformed
from tests.analytics.ingest.access_log.reader import read_by, recognised
from tests.analytics.ingest.access_log.test_clf import COMBINED, COMMON

SAMPLES = Path(__file__).parent / "log_samples"
IPV6 = COMBINED.replace("203.0.113.9", "2001:db8::9")


def sample(name):
    return (SAMPLES / f"{name}.log").read_bytes().decode("latin-1").splitlines()


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.stem)
def test_format_is_recognised(path):
    reader, readable = recognised(sample(path.stem))
    expected = {"iis": "w3c", "cloudfront": "w3c", "haproxy": "haproxy after syslog"}
    assert str(reader) == expected.get(path.stem, path.stem)
    assert readable >= len(sample(path.stem)) - 2


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.stem)
def test_no_other_format_reads_any_of_its_requests(path):
    """But for what Traefik appends, which combined passes over as anything else."""
    lines = sample(path.stem)
    own = recognised(lines)[0].name
    others = {name: make for name, make in FORMATS.items() if name != own}
    if own == "traefik":
        del others["combined"]
    assert recognise(lines, others, UTC) is None


def docker_json(text):
    return json.dumps({"log": text + "\n", "stream": "stdout", "time": "2026"})


CARRIERS = {
    "syslog": [
        "Feb  8 12:00:00 web1 nginx: {}",
        "<190>Feb 18 12:00:00 web1 nginx: {}",
        "<190>Feb 18 12:00:00 nginx: {}",
        "2026-02-18T12:00:00.123456+01:00 web1 nginx[12]: {}",
        "2026-02-18T12:00:00+0100 web1 caddy[12]: {}",
    ],
    "syslog (RFC 5424)": [
        "<134>1 2026-02-18T12:00:00.123+02:00 web1 nginx 266 - - {}",
        "<134>1 2026-02-18T12:00:00Z web1 nginx - ID47 - \xef\xbb\xbf{}",
        r'<134>1 - - nginx - - [a@1 b="c \"d\" \]"][e@2] {}',
    ],
    "docker": [
        "2026-02-18T12:00:00.123456789Z {}",
        "web-1  | {}",
        "shop_web.1 | 2026-02-18T12:00:00.123456789Z {}",
    ],
    "containerd": [
        "2026-02-18T12:00:00.123456789Z stdout F {}",
        "2026-02-18T12:00:00.123456789+01:00 stderr F {}",
    ],
}


@pytest.mark.parametrize(
    ("prefix", "carrier"),
    [(prefix, carrier) for prefix, forms in CARRIERS.items() for carrier in forms],
)
@pytest.mark.parametrize("text", [COMBINED, COMMON, IPV6])
def test_prefix_is_recognised_and_taken_off(prefix, carrier, text):
    lines = [carrier.replace("{}", text)] * 3
    reader, readable = recognised(lines)
    assert (reader.prefix, readable) == (prefix, 3)
    bare = recognised([text])[0]
    assert reader.read(lines[0]) == bare.read(text)


@pytest.mark.parametrize(
    ("prefix", "wrap"),
    [
        ("docker json-file", docker_json),
        ("journald json", lambda text: json.dumps({"MESSAGE": text, "_PID": "1"})),
        (
            "journald json",
            lambda text: json.dumps({"MESSAGE": list(text.encode("latin-1"))}),
        ),
    ],
)
@pytest.mark.parametrize("name", ["combined", "caddy", "nginx-json", "alb", "s3"])
def test_line_inside_json_is_recognised(prefix, wrap, name):
    # What JSON holds is text: bytes that are none arrive as something else.
    texts = [text for text in sample(name) if text.isascii()]
    reader, readable = recognised([wrap(text) for text in texts])
    assert (reader.name, reader.prefix) == (name, prefix)
    assert readable >= len(texts) - 2
    assert reader.read(wrap(texts[0])) == recognised(texts)[0].read(texts[0])


def test_prefix_of_a_followed_w3c_log_keeps_its_directives():
    lines = [f"web-1  | {text}" for text in sample("iis")]
    reader, _ = recognised(lines)
    assert str(reader) == "w3c after docker"


def test_line_without_the_prefix_of_the_others_is_malformed():
    carrier = CARRIERS["syslog"][0]
    reader, _ = recognised([carrier.replace("{}", COMBINED)])
    with pytest.raises(Malformed, match="no prefix as other lines have it"):
        reader.read(COMBINED)


def test_parts_of_a_line_that_docker_cut_are_malformed():
    """What follows the first could be made to look like a line of its own."""
    reader, _ = recognised([docker_json(COMBINED)])
    first = json.dumps({"log": COMBINED, "stream": "stdout", "time": "2026"})
    for text in (first, first, docker_json(COMBINED)):
        with pytest.raises(Malformed, match="a part of a longer line"):
            reader.read(text)
    assert read_by(reader, docker_json(COMBINED)).target == "/a"


def test_parts_of_a_line_that_containerd_cut_are_malformed():
    whole = f"2026-02-18T12:00:00.1Z stdout F {COMBINED}"
    reader, _ = recognised([whole])
    for text in (whole.replace(" F ", " P "), whole):
        with pytest.raises(Malformed, match="a part of a longer line"):
            reader.read(text)
    assert read_by(reader, whole).target == "/a"


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "[]", "x", '{"log":1}', '{"log":{}}', '{"log":"\\ud800\\n"}'),
        *('{"MESSAGE":[1,"a"]}', '{"MESSAGE":[256]}', '{"MESSAGE":[-1]}'),
        *('{"MESSAGE":null}', '{"MESSAGE":"\\ud800"}', '{"MESSAGE":[1e9]}'),
    ],
)
def test_odd_json_around_a_line_is_malformed(text):
    for name in ("docker json-file", "journald json"):
        with pytest.raises(Malformed):
            PREFIXES[name]()(text)


@pytest.mark.parametrize(
    "lines", [[], ["hello"], ["", ""], ["\0"], ["x" * MAX_LINE], ["1,2,3"], ["<html>"]]
)
def test_what_is_no_log_is_not_recognised(lines):
    assert recognise(lines, FORMATS, UTC) is None


def test_format_of_most_lines_wins():
    vhost = [f"example.com {COMBINED}"] * 3
    assert recognised([COMBINED] * 2 + vhost)[0].name == "vhost-combined"
    assert recognised([COMBINED] * 4 + vhost)[0].name == "combined"
