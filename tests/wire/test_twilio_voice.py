"""TwiML and signatures."""

from __future__ import annotations

import hmac
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from engine.wire import twilio_voice as voice

URL = "wss://voice.example.com/media"
TOKEN = "12345"


def shape(twiml: str) -> list[tuple[str, dict[str, str], str]]:
    """Every element below <Response>, in document order: name, attributes, text."""
    root = ElementTree.fromstring(twiml)
    assert root.tag == "Response"
    return [(node.tag, node.attrib, node.text or "") for node in list(root.iter())[1:]]


def sign(text: str, token: str = TOKEN) -> str:
    return b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()


def test_connect_stream() -> None:
    twiml = voice.connect_stream(URL, {"token": 'a<b>&"c"', "agent": "Grüße"}, status_callback="https://x/s")
    assert shape(twiml) == [
        ("Connect", {}, ""),
        ("Stream", {"url": URL, "statusCallback": "https://x/s"}, ""),
        ("Parameter", {"name": "token", "value": 'a<b>&"c"'}, ""),
        ("Parameter", {"name": "agent", "value": "Grüße"}, ""),
    ]


def test_what_follows_the_stream() -> None:
    assert shape(voice.connect_stream(URL, {}, then="https://x/next?a=1&b=2"))[-1] == (
        "Redirect",
        {"method": "POST"},
        "https://x/next?a=1&b=2",
    )


def test_digits_then_stream() -> None:
    twiml = voice.play_digits_then_stream("1ww2#", URL, {"token": "t"})
    tags = shape(twiml)
    assert tags[0] == ("Play", {"digits": "1ww2#"}, "")
    assert [tag for tag, _, _ in tags] == ["Play", "Connect", "Stream", "Parameter"]


def test_reject_and_dial() -> None:
    assert shape(voice.reject("busy")) == [("Reject", {"reason": "busy"}, "")]
    assert shape(
        voice.redirect_dial("+15550100", caller_id="+15550101", timeout=20, action="https://x/d")
    ) == [
        ("Dial", {"action": "https://x/d", "callerId": "+15550101", "timeout": "20"}, ""),
        ("Number", {}, "+15550100"),
    ]
    assert shape(voice.redirect_dial("sip:desk@example.com"))[1] == ("Sip", {}, "sip:desk@example.com")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: voice.connect_stream("https://voice.example.com/media", {}),
        lambda: voice.connect_stream(URL + "?token=1", {}),
        lambda: voice.connect_stream(URL, {"name": "v" * 496}),
        lambda: voice.connect_stream(URL, {"": "v"}),
        lambda: voice.connect_stream(URL, {"name": "a\x00b"}),
        lambda: voice.play_digits_then_stream("12;3", URL, {}),
        lambda: voice.play_digits_then_stream("", URL, {}),
        lambda: voice.reject("tired"),  # type: ignore[arg-type]
        lambda: voice.redirect_dial(""),
        lambda: voice.redirect_dial("+15550100", timeout=0),
        lambda: voice.stream_url("voice.example.com", "/media"),
        lambda: voice.WebhookSignatures(TOKEN, "https://voice.example.com/?a=1"),
    ],
)
def test_what_twilio_would_refuse_is_refused_here(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        wrong()


def test_a_parameter_may_be_just_short_enough() -> None:
    assert "v" * 495 in voice.connect_stream(URL, {"name": "v" * 495})


def test_webhook_signature_is_the_hmac_of_url_and_sorted_form() -> None:
    form = {"To": "+18005551212", "CallSid": "CA1", "From": "+12349013030", "Digits": ""}
    signed = (
        "https://mycompany.com/app/in?foo=1&bar=2" + "CallSidCA1Digits" + "From+12349013030To+18005551212"
    )
    check = voice.WebhookSignatures(TOKEN, "https://mycompany.com/app/")
    assert check.accepts_webhook("/in?foo=1&bar=2", form, sign(signed))
    assert not check.accepts_webhook("/in?foo=1&bar=2", form, sign(signed, "54321"))
    assert not check.accepts_webhook("/in?foo=1", form, sign(signed))
    assert not check.accepts_webhook("/in?foo=1&bar=2", form | {"To": "+1"}, sign(signed))
    assert not check.accepts_webhook("/in?foo=1&bar=2", form, "")
    assert not check.accepts_webhook("/in?foo=1&bar=2", form, None)


def test_the_example_of_twilios_documentation() -> None:
    # The published example of https://www.twilio.com/docs/usage/security#validating-requests.
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    check = voice.WebhookSignatures("12345", "https://mycompany.com")
    assert check.accepts_webhook("/myapp.php?foo=1&bar=2", form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


def test_stream_signature_is_over_the_wss_url_alone() -> None:
    check = voice.WebhookSignatures(TOKEN, "https://voice.example.com")
    assert check.accepts_stream("/media", sign("wss://voice.example.com/media"))
    assert check.accepts_stream("/media", sign("wss://voice.example.com/media/"))
    assert not check.accepts_stream("/media", sign("https://voice.example.com/media"))
    assert not check.accepts_stream("/other", sign("wss://voice.example.com/media"))
    assert not check.accepts_stream("/media", sign("wss://voice.example.com/media", "54321"))
    assert not check.accepts_stream("/media", None)


def test_the_url_of_the_twiml_is_the_url_that_is_checked() -> None:
    assert voice.stream_url("https://voice.example.com/", "/media") == URL
    assert voice.stream_url("http://127.0.0.1:8080", "/media") == "ws://127.0.0.1:8080/media"


def test_the_rest_client_of_the_sdk_is_not_imported() -> None:
    code = (
        "import sys, engine.wire.twilio_voice; print([m for m in sys.modules if m.startswith('twilio.rest')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
