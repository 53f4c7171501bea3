"""Invented artists and titles that can be pronounced, and that sound like their genre.

A genre has a tongue, from which its artists' names are made, and a mood, from which its titles
are. So whoever plays the listener's part at the console can learn what a taste is like.
"""

from typing import NamedTuple

from core.rng import Stream


class _Tongue(NamedTuple):
    joins: bool  # whether two consonants may meet
    starts: tuple[str, ...]
    middles: tuple[str, ...]
    ends: tuple[str, ...]


class _Mood(NamedTuple):
    nouns: tuple[str, ...]
    qualities: tuple[str, ...]
    deeds: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TONGUES = (
    _Tongue(
        False,
        _words("Mar Vel Lor Sil Cor Dan Fel Gal Jul Lin Mon Nor Pal Ros Tav Val Bel Cas"),
        _words("a e i o ia io ea e i a"),
        _words("ra na dia lla no rio sa nte ne lo via rra zi tto mo"),
    ),
    _Tongue(
        True,
        _words("Hald Sven Brid Torv Ask Eir Jor Stig Ul Frey Rag Sol Grim Ket Hild Arn Vid"),
        _words("a e o i ar un el e a o"),
        _words("sen rik dal vik mund gard strøm lund run nes berg vald ja stad fell"),
    ),
    _Tongue(
        True,
        _words("Ka Mi Ha Ri To Yu Na Shi Ko Sa Ta Ao Hi Me Re No Yo Fu"),
        _words("ka ri mi no ha zu ra ki to ma"),
        _words("ko mi ta ya ra ne shi ro ki na to zuki mori saki da"),
    ),
    _Tongue(
        True,
        _words("Zor Mil Drag Vesn Kar Bor Lad Rad Tes Jas Ned Pav Ola Dob Stan Luk Mir"),
        _words("a i o e av im or en ko il"),
        _words("na mir ka slav vić nik ra dan lin sha tov ska rin jan ček"),
    ),
    _Tongue(
        True,
        _words("Ash Brook Wren Hale Marsh Quill Thorn Lark Penn Cole Hart Vane Dell Rook Fenn"),
        _words("a en er ing le y o ers en er"),
        _words("ton ley ford well wick more field worth den ridge low by comb stead mere"),
    ),
)

MOODS = (
    _Mood(
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
    _Mood(
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
    _Mood(
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
    _Mood(
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
    _Mood(
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
    _Mood(
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


def word(tongue: int, stream: Stream) -> str:
    """An invented word of two or three syllables in one of the `TONGUES`."""
    joins, starts, middles, ends = TONGUES[tongue % len(TONGUES)]
    start, end = _one(starts, stream), _one(ends, stream)
    longer = stream.below(6) == 0
    closed = start[-1] not in _VOWELS and end[0] not in _VOWELS
    if longer or (closed and not joins):
        start = _joined(start, _one(middles, stream))
    return _joined(start, end)


def artist(genre: int, stream: Stream) -> str:
    """The name of an artist of this genre: a person, a band, or one word."""
    name, other = word(genre, stream), word(genre, stream)
    quality, noun = _one(_BAND_QUALITIES, stream), _one(_BAND_NOUNS, stream)
    forms = (
        (38, f"{name} {other}" if name != other else name),
        (18, name),
        (14, f"The {quality} {noun}"),
        (8, f"{name} & the {noun}"),
        (8, f"The {name} {noun}"),
        (7, f"{quality} {name}"),
        (4, f"{name} {_one(_GROUPS, stream)}"),
        (3, f"{_one(_HONOURS, stream)} {name}"),
    )
    return _weighted(forms, stream)


def title(genre: int, stream: Stream) -> str:
    """The title of a track of this genre."""
    nouns, qualities, deeds = MOODS[genre % len(MOODS)]
    quality, deed = _one(qualities, stream), _one(deeds, stream)
    noun = _one(nouns if stream.below(3) else _NOUNS, stream)
    other = _one(_NOUNS if noun in nouns else nouns, stream)
    place = word(genre, stream)
    hour = _one(_HOURS, stream)
    forms = (
        (22, f"{quality} {noun}"),
        (12, f"{noun} and {other}"),
        (10, f"{noun} in {place}"),
        (8, f"{deed} {_one(_TOWARDS, stream)} the {noun}"),
        (8, f"{quality} {noun}, {quality} {other}"),
        (8, f"The {noun} of {place}"),
        (5, f"{hour} {noun}"),
        (5, f"{place}"),
        (4, f"{deed} Until {hour}"),
        (4, f"{noun} for {place}"),
        (4, f"No More {noun}"),
        (3, f"{deed}, {place}, {deed}"),
        (2, f"{deed} with Me"),
        (2, f"How to {deed}"),
        (2, f"{noun}"),
        (1, f"Ballad of {quality} {place}"),
    )
    return _weighted(forms, stream)


def _joined(start: str, end: str) -> str:
    return start + end.lstrip(start[-1])  # one letter and not two or three where they meet


def _weighted(forms: tuple[tuple[int, str], ...], stream: Stream) -> str:
    left = stream.below(100)
    for weight, form in forms:
        left -= weight
        if left < 0:
            return form
    raise AssertionError("the weights add up to 100")


def _one(choices: tuple[str, ...], stream: Stream) -> str:
    return choices[stream.below(len(choices))]
