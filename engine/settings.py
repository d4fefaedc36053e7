"""Keys and addresses of the vendors: from the environment, and from a settings file where it has none.

The file is TOML and holds the variables' own names (``OPENAI_API_KEY = "sk-…"``). It is ``engine.toml`` in
the working directory, or the one that ENGINE_SETTINGS names. A key is never logged, nor shown by a repr.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import EngineError

FILE_VARIABLE = "ENGINE_SETTINGS"
USUAL_FILE = "engine.toml"


@dataclass(frozen=True, slots=True)
class VendorSettings:
    """What is needed to reach the vendors. Each field is the variable of its name in capital letters.

    A base URL is the vendor's root, http or https (OpenAI's ends in ``/v1``); empty: the vendor's own.
    Raises `EngineError` that names a variable that will not do.
    """

    deepgram_api_key: str = field(default="", repr=False)
    deepgram_base_url: str = ""
    openai_api_key: str = field(default="", repr=False)
    openai_base_url: str = ""
    elevenlabs_api_key: str = field(default="", repr=False)
    elevenlabs_base_url: str = ""
    playht_user_id: str = field(default="", repr=False)
    playht_api_key: str = field(default="", repr=False)
    playht_base_url: str = ""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            problem = address_problem(value) if each.name.endswith("_base_url") else key_problem(value)
            if problem:
                raise EngineError(f"{each.name.upper()} {problem}")

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> VendorSettings:
        """Those of this process. Raises `EngineError` for a file or a value that will not do."""
        environment = os.environ if environment is None else environment
        named = environment.get(FILE_VARIABLE, "")
        values = _from_file(Path(named or USUAL_FILE), required=bool(named))
        for each in fields(cls):
            if value := environment.get(each.name.upper(), "").strip():
                values[each.name] = value
        return cls(**values)

    def needed(self, variable: str, by: str) -> str:
        """The value of a variable. Raises `EngineError` where it is not set; ``by``: what needs it."""
        value: str = getattr(self, variable.lower())
        if not value:
            raise EngineError(
                f"{variable} is not set, and {by} needs it: set it in the environment or in {USUAL_FILE}"
            )
        return value

    def address(self, vendor: str) -> dict[str, str]:
        """The ``base_url`` of a vendor as a keyword argument; nothing where it is the vendor's own."""
        base_url: str = getattr(self, f"{vendor}_base_url")
        return {"base_url": base_url} if base_url else {}


def key_problem(key: str) -> str:
    """What is wrong with a vendor's key, as the end of a sentence without the key; nothing if it is fine."""
    if all("!" <= character <= "~" for character in key):
        return ""
    return "holds characters that no key has, such as a space or a line's end"


def address_problem(url: str) -> str:
    """What is wrong with a vendor's address, as the end of a sentence; nothing where it is fine or empty."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        return "must begin with http:// or https:// and name a host"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "must be an address only: no user, password or parameters"
    return ""


def _from_file(file: Path, *, required: bool) -> dict[str, str]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise EngineError(f"{FILE_VARIABLE}: there is no file {file}") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # The message may hold a line of the file, and that a key.
        raise EngineError(f"{file}: cannot be read as TOML ({type(error).__name__})") from None
    known = [each.name.upper() for each in fields(VendorSettings)]
    for name, value in data.items():
        if name not in known:
            raise EngineError(f"{file}: {name} is no setting; there are {', '.join(known)}")
        if not isinstance(value, str):
            raise EngineError(f"{file}: {name} must be text in quotes")
    return {name.lower(): value.strip() for name, value in data.items()}
