from . import payment_provider, payment_provider_gateway, payment_transaction, payment_wechatpay_key
