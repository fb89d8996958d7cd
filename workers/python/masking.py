# Secrets in what leaves the process.


def mask(text, secrets):
    """`text` with every secret replaced by ***."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def held_back(text, secrets):
    """How many characters at the end of `text` may be the beginning of a secret that is still being printed."""
    longest = 0
    for secret in secrets:
        for size in range(min(len(secret) - 1, len(text)), longest, -1):
            if text.endswith(secret[:size]):
                longest = size
                break
    return longest


def mask_deep(value, secrets):
    if type(value) is str:
        return mask(value, secrets)
    if type(value) in (list, tuple):
        return type(value)([mask_deep(item, secrets) for item in value])
    if type(value) is dict:
        return {mask_deep(key, secrets): mask_deep(item, secrets) for key, item in value.items()}
    return value
