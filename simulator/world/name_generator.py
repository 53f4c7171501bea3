"""Invented names of artists and titles that sound like their genre.

A genre has a language for the names of its artists, and a vocabulary for its titles. So a person
at the console can learn a listener's taste from the names.
"""

from typing import NamedTuple

from core.rng import Stream


class _Language(NamedTuple):
    joins: bool  # whether two consonants may meet
    starts: tuple[str, ...]
    middles: tuple[str, ...]
    ends: tuple[str, ...]


class _Vocabulary(NamedTuple):
    nouns: tuple[str, ...]
    qualities: tuple[str, ...]
    verbs: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LANGUAGES = (
    _Language(
        False,
        _words("Mar Vel Lor Sil Cor Dan Fel Gal Jul Lin Mon Nor Pal Ros Tav Val Bel Cas"),
        _words("a e i o ia io ea e i a"),
        _words("ra na dia lla no rio sa nte ne lo via rra zi tto mo"),
    ),
    _Language(
        True,
        _words("Hald Sven Brid Torv Ask Eir Jor Stig Ul Frey Rag Sol Grim Ket Hild Arn Vid"),
        _words("a e o i ar un el e a o"),
        _words("sen rik dal vik mund gard strøm lund run nes berg vald ja stad fell"),
    ),
    _Language(
        True,
        _words("Ka Mi Ha Ri To Yu Na Shi Ko Sa Ta Ao Hi Me Re No Yo Fu"),
        _words("ka ri mi no ha zu ra ki to ma"),
        _words("ko mi ta ya ra ne shi ro ki na to zuki mori saki da"),
    ),
    _Language(
        True,
        _words("Zor Mil Drag Vesn Kar Bor Lad Rad Tes Jas Ned Pav Ola Dob Stan Luk Mir"),
        _words("a i o e av im or en ko il"),
        _words("na mir ka slav vić nik ra dan lin sha tov ska rin jan ček"),
    ),
    _Language(
        True,
        _words("Ash Brook Wren Hale Marsh Quill Thorn Lark Penn Cole Hart Vane Dell Rook Fenn"),
        _words("a en er ing le y o ers en er"),
        _words("ton ley ford well wick more field worth den ridge low by comb stead mere"),
    ),
)

VOCABULARIES = (
    _Vocabulary(
        _words(
            "Neon Engine Signal Static Arcade Circuit Mirror Voltage Skyline Antenna Pixel Motor "
            "Laser Satellite Monitor Subway Escalator Terminal Metro Cassette"
        ),
        _words(
            "Electric Midnight Chrome Infrared Parallel Hypnotic Digital Overdriven Weightless "
            "Synthetic Glowing Magnetic Restless Automatic"
        ),
        _words("Drive Switch Flicker Orbit Glitch Dial Rewind Pulse Drift Transmit"),
    ),
    _Vocabulary(
        _words(
            "River Pine Harvest Lantern Meadow Barn Creek Hollow Sparrow Orchard Fiddle Valley "
            "Wagon Porch Clover Mill Cedar Willow Fencepost Gravel"
        ),
        _words(
            "Golden Weathered Quiet Faraway Dusty Wild Homespun Barefoot Crooked Windblown Amber "
            "Evening Patient Old"
        ),
        _words("Wander Mend Gather Whistle Roam Kindle Carry Sow Linger Mow"),
    ),
    _Vocabulary(
        _words(
            "Ash Iron Raven Crypt Thunder Wolf Serpent Throne Anvil Blade Tomb Winter Omen Storm "
            "Gallows Ember Titan Ruin Plague Hammer"
        ),
        _words(
            "Black Burning Fallen Cursed Bleeding Ancient Merciless Frozen Godless Savage Hollow "
            "Scarlet Shattered Final"
        ),
        _words("Burn Rise Conquer Howl Devour Break Ride Wither March Scream"),
    ),
    _Vocabulary(
        _words(
            "Heart Kiss Summer Weekend Perfume Sugar Dancefloor Promise Crush Honey Firework "
            "Candy Sunset Secret Lipstick Party Diamond Cherry Polaroid Phone"
        ),
        _words(
            "Sweet Crazy Pretty Lucky Dizzy Sparkling Reckless Lovesick Bright Young Golden Shy "
            "Famous Tender"
        ),
        _words("Dance Call Fall Stay Shine Love Wish Blush Run Dream"),
    ),
    _Vocabulary(
        _words(
            "Smoke Piano Rain Velvet Moon Lullaby Avenue Whisper Saxophone Umbrella Coffee Letter "
            "Shadow Candle Balcony Waltz Sorrow Cigarette Window Train"
        ),
        _words(
            "Blue Slow Lonesome Late Smoky Wistful Silver Half-Lit Soft Nameless Faded Sleepless "
            "Gentle Lost"
        ),
        _words("Sway Wait Remember Forget Hum Smoulder Return Confess Sigh Leave"),
    ),
    _Vocabulary(
        _words(
            "Crown Corner Hustle Kingdom Block Rooftop Pavement Ledger Bassline Sermon Chain "
            "Heirloom "
            "Mural Siren Boulevard Curfew Gospel Ransom Stairwell Blueprint"
        ),
        _words(
            "Real Heavy Royal Loud Hungry Solid Concrete Outspoken Ruthless Uptown Fearless Raw "
            "Borrowed Priceless"
        ),
        _words("Rule Grind Testify Climb Build Bounce Spend Speak Stack Hold"),
    ),
)

_BAND_NOUNS = _words(
    "Lanterns Orchards Foxes Satellites Tigers Harbours Pilgrims Comets Sparrows Brothers Sisters "
    "Machines Ghosts Islands Magnets Parades Wolves Astronauts Gardens Strangers Mirrors Kites "
    "Librarians Cartographers Herons Matadors Telephones Volcanoes Umbrellas Locomotives"
)
_BAND_QUALITIES = _words(
    "Pale Velvet Northern Paper Crooked Silent Electric Wooden Scarlet Distant Marble Hollow "
    "Golden Sleeping Painted Nervous Broken Summer Midnight Copper Ivory Tidal Borrowed "
    "Seventh Lesser Double"
)
_HOURS = _words("Dawn Noon Dusk Midnight Three Daybreak Sundown Winter April November")

_GROUPS = ("Trio", "Quartet", "Collective", "Ensemble")
_HONOURS = ("DJ", "MC", "Saint", "Professor")
_TOWARDS = ("Under", "Past", "Against", "Beside", "Beyond", "Through")
_NOUNS = _words(
    "Morning Road Light City Ocean Stranger Sky Garden Stone Fire Water Bridge House Song "
    "Mile Ghost Star Room Island Mountain Door Compass Season Silence Machine"
)
_VOWELS = "aeiouyø"


def invent_word(language: int, stream: Stream) -> str:
    """Invent a word of two or three syllables in one of the `LANGUAGES`."""
    joins, starts, middles, ends = LANGUAGES[language % len(LANGUAGES)]
    start, end = _pick(starts, stream), _pick(ends, stream)
    longer = stream.below(6) == 0
    closed = start[-1] not in _VOWELS and end[0] not in _VOWELS
    if longer or (closed and not joins):
        start = _join(start, _pick(middles, stream))
    return _join(start, end)


def invent_artist(genre: int, stream: Stream) -> str:
    """Invent the name of an artist of this genre: a person, a band, or one word."""
    name, other = invent_word(genre, stream), invent_word(genre, stream)
    quality, noun = _pick(_BAND_QUALITIES, stream), _pick(_BAND_NOUNS, stream)
    forms = (
        (38, f"{name} {other}" if name != other else name),
        (18, name),
        (14, f"The {quality} {noun}"),
        (8, f"{name} & the {noun}"),
        (8, f"The {name} {noun}"),
        (7, f"{quality} {name}"),
        (4, f"{name} {_pick(_GROUPS, stream)}"),
        (3, f"{_pick(_HONOURS, stream)} {name}"),
    )
    return _pick_weighted(forms, stream)


def invent_title(genre: int, stream: Stream) -> str:
    """Invent the title of a track of this genre."""
    nouns, qualities, verbs = VOCABULARIES[genre % len(VOCABULARIES)]
    quality, verb = _pick(qualities, stream), _pick(verbs, stream)
    noun = _pick(nouns if stream.below(3) else _NOUNS, stream)
    other = _pick(_NOUNS if noun in nouns else nouns, stream)
    place = invent_word(genre, stream)
    hour = _pick(_HOURS, stream)
    forms = (
        (22, f"{quality} {noun}"),
        (12, f"{noun} and {other}"),
        (10, f"{noun} in {place}"),
        (8, f"{verb} {_pick(_TOWARDS, stream)} the {noun}"),
        (8, f"{quality} {noun}, {quality} {other}"),
        (8, f"The {noun} of {place}"),
        (5, f"{hour} {noun}"),
        (5, f"{place}"),
        (4, f"{verb} Until {hour}"),
        (4, f"{noun} for {place}"),
        (4, f"No More {noun}"),
        (3, f"{verb}, {place}, {verb}"),
        (2, f"{verb} with Me"),
        (2, f"How to {verb}"),
        (2, f"{noun}"),
        (1, f"Ballad of {quality} {place}"),
    )
    return _pick_weighted(forms, stream)


def _join(start: str, end: str) -> str:
    return start + end.lstrip(start[-1])  # one letter, not two or three, where the parts meet


def _pick_weighted(forms: tuple[tuple[int, str], ...], stream: Stream) -> str:
    left = stream.below(100)
    for weight, form in forms:
        left -= weight
        if left < 0:
            return form
    raise AssertionError("the weights add up to 100")


def _pick(choices: tuple[str, ...], stream: Stream) -> str:
    return choices[stream.below(len(choices))]
