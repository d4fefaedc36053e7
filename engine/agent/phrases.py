"""Words that never interrupt the agent ("I am listening") and words that always do, by language.

They are what an agent gets that sets none of its own. Matching takes whole words, without regard to case
and punctuation.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.catalogue import MULTI
from engine.core.words import base_language, words_of

_SOUNDS = (
    "mm", "mmm", "mhm", "hm", "hmm", "mm-hm", "mm hm", "mm-hmm", "mm hmm", "aha", "ah", "oh", "ok", "okay",
)  # fmt: skip
"""Sounds of listening that are no words of any one language."""

_NEVER: Mapping[str, tuple[str, ...]] = {
    "en": (
        "uh-huh", "uh huh", "uhuh", "right", "alright", "all right", "yeah", "yea", "yep", "yup",
        "yes", "sure", "i see", "got it", "of course", "fine", "good", "great", "cool", "nice",
        "exactly", "really", "wow", "uh", "um", "true", "that's right", "i understand",
        "makes sense", "go on", "fair enough",
    ),
    "es": (
        "sí", "ya", "vale", "claro", "bueno", "bien", "muy bien", "ajá", "entiendo", "ya veo",
        "de acuerdo", "exacto", "perfecto", "eso es", "por supuesto", "eh", "ah sí", "está bien",
    ),
    "fr": (
        "oui", "ouais", "d'accord", "bien", "très bien", "ah bon", "je vois", "je comprends",
        "voilà", "c'est ça", "entendu", "bien sûr", "parfait", "exactement", "tout à fait", "hum",
        "euh", "ah oui", "ça marche",
    ),
    "de": (
        "ja", "jaja", "genau", "gut", "sehr gut", "alles klar", "klar", "stimmt", "richtig",
        "ach so", "achso", "verstehe", "ich verstehe", "in ordnung", "schön", "prima", "super",
        "äh", "ähm", "ja genau", "okay gut",
    ),
    "it": (
        "sì", "già", "certo", "va bene", "bene", "giusto", "esatto", "capisco", "ho capito",
        "d'accordo", "perfetto", "eh", "eh sì", "ah sì", "benissimo",
    ),
    "pt": (
        "sim", "pois", "pois é", "claro", "certo", "tá", "tá bom", "está bem", "bem", "entendo",
        "entendi", "percebo", "isso", "exato", "exatamente", "perfeito", "beleza", "é", "uhum",
    ),
    "nl": (
        "ja", "jaja", "goed", "prima", "precies", "klopt", "juist", "zeker", "oké", "begrijp ik",
        "ik snap het", "ik begrijp het", "natuurlijk", "ach zo", "aha ja", "eh", "ehm", "mooi",
    ),
}  # fmt: skip

_ALWAYS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "stop", "wait", "wait a minute", "wait a second", "hold on", "hang on", "excuse me",
        "sorry", "pardon", "no no", "one moment", "just a moment", "just a second", "one second",
        "listen", "enough", "shut up", "be quiet", "that's wrong",
        "that's not right", "start over", "say that again", "repeat that",
    ),
    "es": (
        "pare", "espera", "espere", "un momento", "un segundo", "perdón", "perdone",
        "disculpe", "no no", "escucha", "escuche", "alto", "basta", "otra vez", "repita",
    ),
    "fr": (
        "stop", "arrêtez", "arrête", "attendez", "attends", "un instant", "un moment",
        "une seconde", "pardon", "excusez-moi", "non non", "écoutez", "ça suffit",
        "répétez",
    ),
    "de": (
        "stopp", "stop", "halt", "warte", "warten sie", "moment", "moment mal", "einen moment",
        "sekunde", "entschuldigung", "nein nein", "hören sie", "genug", "noch mal",
        "noch einmal",
    ),
    "it": (
        "ferma", "fermi", "fermati", "aspetta", "aspetti", "un momento", "un attimo", "un secondo",
        "scusa", "scusi", "no no", "ascolta", "ascolti", "basta", "ripeta", "alt",
    ),
    "pt": (
        "pare", "espera", "espere", "um momento", "um minuto", "um segundo", "desculpe",
        "desculpa", "com licença", "não não", "escute", "ouça", "chega", "repita",
    ),
    "nl": (
        "stop", "wacht", "wacht even", "momentje", "een moment", "één moment", "een seconde",
        "sorry", "pardon", "nee nee", "luister", "genoeg", "nog een keer", "herhaal",
    ),
}  # fmt: skip


def never_interrupt(language: str) -> tuple[str, ...]:
    """What only says "I am listening" in the language of a BCP-47 tag; mere sounds where it is unknown.

    Of ``multi``, what does so in any language.
    """
    return _SOUNDS + _of(_NEVER, language)


def always_interrupt(language: str) -> tuple[str, ...]:
    """What stops the agent whatever else is said, in the language of a BCP-47 tag; nothing where unknown.

    Of ``multi``, what does so in any language.
    """
    return _of(_ALWAYS, language)


def _of(lists: Mapping[str, tuple[str, ...]], language: str) -> tuple[str, ...]:
    if language == MULTI:
        return tuple(dict.fromkeys(phrase for phrases in lists.values() for phrase in phrases))
    return lists.get(base_language(language), ())


def phrase_key(phrase: str) -> str:
    """What two phrases share that mean the same to the call: the words, without case and punctuation."""
    return " ".join(words_of(phrase))
