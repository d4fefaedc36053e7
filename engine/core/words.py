"""What words tell about a conversation, per language: plain data and look-ups.

The lists are small on purpose. They hold the cases that callers of every phone line use; an agent adds its
own where a policy field allows it. An unknown language falls back to lists that are empty, never to English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*", re.UNICODE)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, lower case, without punctuation; an inner apostrophe or hyphen stays."""
    return tuple(word.lower().replace("’", "'") for word in _WORD.findall(text))


@lru_cache(maxsize=4096)
def phrase_words(phrase: str) -> tuple[str, ...]:
    """The words of a phrase that is looked for again and again; nothing that a caller said belongs here."""
    return words_of(phrase)


def after_words(text: str, count: int) -> str:
    """What follows the first ``count`` words of a text."""
    for number, word in enumerate(_WORD.finditer(text), start=1):
        if number > count:
            return text[word.start() :]
    return "" if count else text


def strip_phrases(words: tuple[str, ...], phrases: Iterable[str]) -> tuple[str, ...]:
    """What is left of ``words`` when every occurrence of the phrases is taken out, the longest first."""
    parts = sorted(map(phrase_words, phrases), key=len, reverse=True)
    left: list[str] = []
    index = 0
    while index < len(words):
        for part in parts:
            if part and words[index : index + len(part)] == part:
                index += len(part)
                break
        else:
            left.append(words[index])
            index += 1
    return tuple(left)


def has_phrase(words: tuple[str, ...], phrases: Iterable[str]) -> bool:
    """Whether one of the phrases stands in ``words`` as whole words."""
    return any(
        part and any(words[i : i + len(part)] == part for i in range(len(words) - len(part) + 1))
        for part in map(phrase_words, phrases)
    )


@lru_cache(maxsize=128)
def base_language(tag: str) -> str:
    """The first part of a BCP-47 tag, lower case: ``en`` of ``en-GB``."""
    return tag.split("-")[0].split("_")[0].lower()


def _phrases(listed: str) -> tuple[str, ...]:
    """Phrases from a list with commas."""
    return tuple(phrase.strip() for phrase in listed.split(","))


COURTESIES: dict[str, tuple[str, ...]] = {
    "en": _phrases(
        "bye, bye-bye, goodbye, good bye, see you, thanks, thank you, thank you very much, you too,"
        "take care, have a nice day, have a good day, cheers, okay, ok, alright, all right"
    ),
    "de": _phrases("tschüss, tschüs, auf wiedersehen, auf wiederhören, danke, vielen dank, ebenfalls, okay"),
    "es": _phrases("adiós, hasta luego, gracias, muchas gracias, igualmente, chao, vale, hasta pronto"),
    "fr": _phrases("au revoir, merci, merci beaucoup, à bientôt, bonne journée, vous aussi, d'accord"),
    "it": _phrases("ciao, arrivederci, grazie, grazie mille, altrettanto, va bene"),
    "nl": _phrases("dag, doei, tot ziens, bedankt, dank u, dankjewel, insgelijks, oké"),
    "pt": _phrases("tchau, adeus, obrigado, obrigada, até logo, igualmente, está bem"),
}
"""What a caller says into a farewell without wanting the talk to go on."""

GREETINGS: dict[str, tuple[str, ...]] = {
    "en": _phrases(
        "hello, hi, hey, hi there, hello there, yes, speaking, good morning, good afternoon, good evening"
    ),
    "de": _phrases("hallo, ja, guten tag, guten morgen, guten abend, grüß gott, ja bitte"),
    "es": _phrases("hola, sí, diga, dígame, bueno, buenos días, buenas tardes, buenas noches, aló"),
    "fr": _phrases("allô, allo, oui, bonjour, bonsoir, oui bonjour"),
    "it": _phrases("pronto, sì, ciao, buongiorno, buonasera"),
    "nl": _phrases("hallo, ja, goedemorgen, goedemiddag, goedenavond, met wie"),
    "pt": _phrases("alô, olá, sim, bom dia, boa tarde, boa noite, estou"),
}
"""What a caller says on picking up: the agent's greeting is the answer to it."""

ANSWERS: dict[str, tuple[str, ...]] = {
    "en": _phrases(
        "yes, yeah, yep, yes please, no, nope, no thanks, no thank you, that's right, that's correct,"
        "that's it, that's all, correct, exactly, right, sure, okay, fine, thanks, thank you,"
        "goodbye, bye, hello, please"
    ),
    "de": _phrases(
        "ja, ja bitte, nein, nein danke, genau, richtig, stimmt, das ist alles, danke, tschüss, bitte"
    ),
    "es": _phrases(
        "sí, no, no gracias, exacto, correcto, eso es, eso es todo, vale, gracias, adiós, por favor"
    ),
    "fr": _phrases(
        "oui, non, non merci, exactement, c'est ça, c'est tout, d'accord, merci, au revoir, s'il vous plaît"
    ),
    "it": _phrases("sì, no, no grazie, esatto, giusto, è tutto, va bene, grazie, arrivederci, per favore"),
    "nl": _phrases(
        "ja, nee, nee bedankt, precies, klopt, dat is alles, goed, bedankt, tot ziens, alsjeblieft"
    ),
    "pt": _phrases(
        "sim, não, não obrigado, exato, certo, é tudo, está bem, obrigado, obrigada, tchau, por favor"
    ),
}
"""Answers that are whole as they stand: nobody has to wait for more, full stop or not."""

UNFINISHED: dict[str, frozenset[str]] = {
    "en": frozenset(
        "and or but because if when while which who whose the a an my your his her our their these to of "
        "in on at for with from by about into than as is are was were am be i'm we're they're i'd i'll um "
        "uh er erm hmm every some any very really just i we they could would can will should "
        "he she it's he's she's there's that's what's you're i've we've you've they've we'll they'll you'll "
        "i'd we'd gonna wanna whether unless until between without using called named".split()
    ),
    "de": frozenset(
        "und oder aber weil wenn dass der die das den dem des ein eine einen einem einer mein meine "
        "meinen zu von in im am an auf für mit aus bei über ist sind war ich wir äh ähm hm also".split()
    ),
    "es": frozenset(
        "y o pero porque si cuando que el la los las un una unos unas mi mis su sus de del a al en con "
        "por para sobre es son era yo eh em este muy".split()
    ),
    "fr": frozenset(
        "et ou mais parce si quand que qui le la les un une des mon ma mes son sa ses de du à au aux en "
        "dans avec pour par sur est sont je nous euh heu très".split()
    ),
    "it": frozenset(
        "e o ma perché se quando che il lo la i gli le un uno una mio mia di del della a al in con per su "
        "è sono io ehm molto".split()
    ),
    "nl": frozenset(
        "en of maar omdat als dat de het een mijn te van in op aan voor met uit bij over is zijn was ik "
        "wij eh ehm heel".split()
    ),
    "pt": frozenset(
        "e ou mas porque se quando que o a os as um uma meu minha de do da em no na com por para sobre é "
        "são eu é hum muito".split()
    ),
}
"""Words on which no sentence ends: after one of them the caller is looking for the next."""

UNFINISHED_PHRASES: dict[str, tuple[str, ...]] = {
    "en": _phrases(
        "would like, i'd like, we'd like, i need, we need, i want, we want, do you have, such as, more than"
    ),
    "de": _phrases("ich möchte, ich hätte gern, ich brauche, haben sie, so wie"),
    "es": _phrases("me gustaría, quisiera, quiero, necesito, tal como"),
    "fr": _phrases("je voudrais, j'aimerais, j'ai besoin, est-ce que"),
    "it": _phrases("vorrei, ho bisogno, mi serve"),
    "nl": _phrases("ik wil graag, ik heb nodig, heeft u"),
    "pt": _phrases("eu gostaria, eu queria, eu preciso, eu quero"),
}
"""The same of several words, or of one that ends a sentence now and then."""

HOLDING: dict[str, tuple[str, ...]] = {
    "en": _phrases(
        "hold on, hang on, bear with me, one moment, one second, one sec, just a moment, just a second,"
        "just a sec, just a minute, wait a moment, wait a second, wait a sec, wait a minute,"
        "give me a moment, give me a second, give me a sec, give me a minute"
    ),
    "de": _phrases(
        "einen moment, einen augenblick, moment bitte, augenblick bitte, moment mal, sekunde bitte,"
        "eine sekunde, warten sie kurz, warten sie bitte, warte kurz, bleiben sie dran"
    ),
    "es": _phrases(
        "un momento por favor, un momentito, un segundito, deme un momento, deme un segundo, dame un momento,"
        "dame un segundo, espere un, espera un, no cuelgue"
    ),
    "fr": _phrases(
        "un instant, un petit instant, une petite seconde, une seconde s'il vous plaît, attendez,"
        "ne quittez pas, donnez-moi une"
    ),
    "it": _phrases("un attimo, un momento per favore, mi dia un, aspetti un, aspetta un, resti in linea"),
    "nl": _phrases("een momentje, een ogenblik, moment alstublieft, wacht even, blijf aan de lijn"),
    "pt": _phrases(
        "um momentinho, um momento por favor, só um momento, só um segundo, só um minuto, espere um,"
        "espera um, aguarde um"
    ),
}
"""With these a caller asks the agent to wait, and goes on after a while."""

NUMBER_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset(
        "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
        "hundred thousand double triple plus area code extension".split()
    ),
    "de": frozenset(
        "null ein eins zwei zwo drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig "
        "vierzig fünfzig sechzig siebzig achtzig neunzig hundert".split()
    ),
    "es": frozenset(
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce veinte treinta cuarenta "
        "cincuenta sesenta setenta ochenta noventa cien".split()
    ),
    "fr": frozenset(
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze vingt trente quarante cinquante "
        "soixante cent".split()
    ),
    "it": frozenset(
        "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici venti trenta cento".split()
    ),
    "nl": frozenset(
        "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf twintig dertig honderd".split()
    ),
    "pt": frozenset(
        "zero um dois três quatro cinco seis sete oito nove dez onze doze vinte trinta cem".split()
    ),
}

ASKED_FOR: dict[str, dict[str, tuple[str, ...]]] = {
    "digits": {
        "en": _phrases(
            "phone number, telephone number, number to call, account number, card number, order number,"
            "booking number, reference, zip code, postcode, postal code, social security, pin, date of birth,"
            "your number, digits, confirmation code, security code"
        ),
        "de": _phrases(
            "telefonnummer, rufnummer, kundennummer, kontonummer, postleitzahl, geburtsdatum, ziffern"
        ),
        "es": _phrases(
            "número de teléfono, número de cuenta, código postal, fecha de nacimiento, número, dígitos"
        ),
        "fr": _phrases(
            "numéro de téléphone, numéro de compte, code postal, date de naissance, numéro, chiffres"
        ),
        "it": _phrases("numero di telefono, codice postale, data di nascita, numero, cifre"),
        "nl": _phrases("telefoonnummer, rekeningnummer, postcode, geboortedatum, nummer, cijfers"),
        "pt": _phrases("número de telefone, código postal, data de nascimento, número, dígitos"),
    },
    "spelling": {
        "en": _phrases("spell, letter by letter, email, e-mail, email address, licence plate, license plate"),
        "de": _phrases("buchstabieren, e-mail, kennzeichen"),
        "es": _phrases("deletrear, deletree, correo electrónico, matrícula"),
        "fr": _phrases("épeler, épelez, e-mail, adresse mail, plaque"),
        "it": _phrases("lettera per lettera, compitare, email, targa"),
        "nl": _phrases("spellen, e-mail, kenteken"),
        "pt": _phrases("soletrar, soletre, e-mail, matrícula"),
    },
    "address": {
        "en": _phrases(
            "your address, street address, what address, which address, where do you live, delivery address"
        ),
        "de": _phrases("adresse, anschrift, wo wohnen"),
        "es": _phrases("dirección, domicilio"),
        "fr": _phrases("votre adresse, quelle adresse"),
        "it": _phrases("indirizzo"),
        "nl": _phrases("adres, waar woont"),
        "pt": _phrases("endereço, morada"),
    },
    "name": {
        "en": _phrases("your name, full name, first name, last name, surname, what name, who is calling"),
        "de": _phrases("ihr name, ihren namen, nachname, vorname"),
        "es": _phrases("su nombre, tu nombre, apellido"),
        "fr": _phrases("votre nom, prénom"),
        "it": _phrases("suo nome, tuo nome, cognome"),
        "nl": _phrases("uw naam, je naam, achternaam, voornaam"),
        "pt": _phrases("seu nome, apelido, sobrenome"),
    },
}
"""What an agent's words say it wants to have dictated."""

DICTATING: dict[str, dict[str, tuple[str, ...]]] = {
    "digits": {
        "en": _phrases("my number is, the number is, number is, the code is, account number"),
        "de": _phrases("nummer ist, nummer lautet"),
        "es": _phrases("número es, código es"),
        "fr": _phrases("numéro est, mon numéro"),
    },
    "spelling": {
        "en": _phrases("spelled, spelt, email is, e-mail is, that's spelled"),
        "de": _phrases("buchstabiert, geschrieben"),
        "es": _phrases("se escribe, se deletrea"),
        "fr": _phrases("s'écrit, ça s'écrit"),
    },
    "address": {
        "en": _phrases("i live at, my address is, the address is"),
        "de": _phrases("ich wohne in, meine adresse"),
        "es": _phrases("vivo en, mi dirección"),
        "fr": _phrases("j'habite, mon adresse"),
    },
}
"""What a caller says before dictating something unasked."""
