import hashlib

from worker.whatif.seen import Seen


def test_prefixes_are_in_order() -> None:
    """What two shares compare are the first eight bytes of their ids' digests, each once, the smallest first."""
    seen = Seen()
    for number in [*range(9000), *range(100)]:
        seen.first("//m", f"e-{number}")

    digests = (hashlib.blake2b(f"//m\ne-{number}".encode(), digest_size=16).digest() for number in range(9000))
    assert list(seen.prefixes()) == sorted(int.from_bytes(digest[:8], "little") for digest in digests)
