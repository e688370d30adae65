"""What is wrong with a key, in words a merchant can act on."""


def get_key_text(env, error):
    """Text of a KeyMaterialError."""
    texts = {
        "not_a_private_key": env._(
            "This is not a private key without password. Paste the whole of apiclient_key.pem, with its BEGIN and END lines."
        ),
        "not_a_certificate": env._(
            "This is not a certificate. Paste the whole file, with its BEGIN CERTIFICATE and END CERTIFICATE lines."
        ),
        "not_a_public_key": env._(
            "This is not a public key. Paste the whole of pub_key.pem, with its BEGIN PUBLIC KEY and END PUBLIC KEY lines."
        ),
        "key_too_short": env._("This key has less than 2048 bits."),
        "pair_differs": env._(
            "The merchant certificate does not belong to the merchant private key: one of the two is from another application."
        ),
        "api_v3_key_length": env._("The API v3 key has exactly 32 letters and digits."),
    }
    return texts[error.reason]
