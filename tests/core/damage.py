"""Random damage to bytes, for property tests: flipped, overwritten, cut, doubled, moved."""

from hypothesis import strategies as st


@st.composite
def damages(draw, content: bytes):
    """Draw a damaged copy of the content; one to three damages."""
    for _ in range(draw(st.integers(1, 3))):
        content = draw(st.sampled_from(_KINDS))(draw, content)
    return content


def _place(draw, content):
    return draw(st.integers(0, len(content)))


def _flip(draw, content):
    at = _place(draw, content)
    mask = draw(st.integers(1, 255))
    return content[:at] + bytes(byte ^ mask for byte in content[at : at + 1]) + content[at + 1 :]


def _overwrite(draw, content):
    at = _place(draw, content)
    new = draw(st.binary(min_size=1, max_size=12) | st.just(bytes(64)) | st.just(b"\xff" * 8))
    return content[:at] + new + content[at + len(new) :]


def _cut_off(draw, content):
    return content[: _place(draw, content)]


def _cut_out(draw, content):
    one, other = sorted((_place(draw, content), _place(draw, content)))
    return content[:one] + content[other:]


def _double(draw, content):
    one, other = sorted((_place(draw, content), _place(draw, content)))
    return content[:other] + content[one:other] + content[other:]


def _insert(draw, content):
    at = _place(draw, content)
    new = draw(
        st.sampled_from([b'"', b"\n", b"\r", b"\t", b",", b"\0", b"\xe9", b"{", b"]", b"-1"])
    )
    return content[:at] + new + content[at:]


_KINDS = [_flip, _overwrite, _cut_off, _cut_out, _double, _insert]
