"""Forms of the names and ids that messages carry, as regular expressions that the whole text matches."""

NAME = r"[A-Za-z0-9_-]{1,64}"
UUID7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
SHA256 = r"[0-9a-f]{64}"
REQUEST_ID = r"[A-Za-z0-9_.:-]{1,64}"
