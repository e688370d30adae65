-- a copy of the database must not be able to speak for the merchant
UPDATE payment_provider
   SET alipay_app_id = NULL,
       alipay_seller_id = NULL,
       alipay_private_key = NULL,
       alipay_public_key = NULL,
       alipay_app_certificate = NULL,
       alipay_gateway_certificate = NULL,
       alipay_root_certificate = NULL,
       alipay_base_url = NULL;
