"""The names of our keys on Redis.

The listener's id stands in braces, as Redis Cluster's hash tag: the record of a listener and the
answers to their requests are on one shard, so a script may use both.
"""


def record_key(prefix: str, listener: str) -> bytes:
    """Name a listener's record."""
    if "}" in listener or "%" in listener:  # a brace would end the hash tag
        listener = listener.replace("%", "%25").replace("}", "%7D")
    return f"{prefix}{{{listener}}}".encode("utf-8", "surrogatepass")


def answer_key(record: bytes, route: str, key: str) -> bytes:
    """Name the answer to a request.

    Args:
        record: The name of the listener's record.
        route: The route's name, without a colon.
        key: The request's idempotency key.
    """
    return b"%b:%b:%b" % (record, route.encode(), key.encode("utf-8", "surrogatepass"))


def catalog_key(prefix: str, tag: bytes) -> bytes:
    """Name the track ids of a catalog."""
    return f"{prefix}catalog:{tag.hex()}".encode()
