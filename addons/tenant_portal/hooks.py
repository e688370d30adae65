def post_init_hook(env):
    """Both languages of the product are offered to tenants: English is the source and needs no translations loaded."""
    env["res.lang"]._activate_lang("en_US")
