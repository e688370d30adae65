-- WeChat Pay: no secret and no key of the merchant in a copy of the database
UPDATE payment_provider
   SET wechatpay_mchid = NULL,
       wechatpay_appid = NULL,
       wechatpay_app_secret = NULL,
       wechatpay_api_v3_key = NULL,
       wechatpay_private_key = NULL,
       wechatpay_certificate = NULL,
       wechatpay_test_url = NULL;
UPDATE payment_provider
   SET state = 'disabled'
 WHERE code = 'wechatpay';
DELETE FROM payment_wechatpay_key;
UPDATE payment_transaction
   SET wechatpay_openid = NULL,
       wechatpay_client_ip = NULL,
       wechatpay_code = NULL
 WHERE wechatpay_kind IS NOT NULL;
