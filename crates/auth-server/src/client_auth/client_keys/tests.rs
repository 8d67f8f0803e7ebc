use serde_json::json;

use super::*;

/// RFC 7515 appendix A.2.
const RSA: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_SIGNED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// RFC 7515 appendix A.3.
const EC_SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 8037 appendix A.4.
const ED_SIGNED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn rsa_key() -> Value {
    json!({ "kty": "RSA", "n": RSA, "e": "AQAB" })
}

fn ec_key() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn ed_key() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
}

fn with(mut key: Value, name: &str, value: &Value) -> Value {
    key[name] = value.clone();
    key
}

fn verifies(keys: &[Value], algorithm: AssertionAlgorithm, kid: Option<&str>, text: &str) -> bool {
    let (message, signature) = text.rsplit_once('.').unwrap();
    let signed = Signed {
        kid,
        algorithm,
        message,
        signature,
    };
    ClientKeys::of(keys).unwrap().verify(&signed)
}

#[test]
fn the_signatures_of_the_rfcs_verify_with_their_own_key_and_algorithm_and_no_other() {
    let samples = [
        (AssertionAlgorithm::Rs256, rsa_key(), RSA_SIGNED),
        (AssertionAlgorithm::Es256, ec_key(), EC_SIGNED),
        (AssertionAlgorithm::EdDsa, ed_key(), ED_SIGNED),
    ];
    for (right, _, text) in &samples {
        for algorithm in AssertionAlgorithm::ALL {
            for (of_key, key, _) in &samples {
                let expected = algorithm == *right && of_key == right;
                let keys = [key.clone()];
                assert_eq!(
                    verifies(&keys, algorithm, None, text),
                    expected,
                    "{algorithm:?} {of_key:?}"
                );
            }
        }
        let (message, signature) = text.rsplit_once('.').unwrap();
        let changed = format!("{message}x.{signature}");
        let keys: Vec<_> = samples.iter().map(|sample| sample.1.clone()).collect();
        assert!(verifies(&keys, *right, None, text));
        assert!(!verifies(&keys, *right, None, &changed));
    }
}

#[test]
fn a_key_that_names_its_algorithm_is_for_no_other() {
    for (alg, expected) in [("RS256", true), ("PS256", false)] {
        let key = with(rsa_key(), "alg", &json!(alg));
        assert_eq!(
            verifies(&[key], AssertionAlgorithm::Rs256, None, RSA_SIGNED),
            expected,
            "{alg}"
        );
    }
}

#[test]
fn a_named_key_is_the_only_one_that_is_tried() {
    let keys = [
        with(ec_key(), "kid", &json!("a")),
        with(ed_key(), "kid", &json!("b")),
    ];
    for (kid, expected) in [
        (None, true),
        (Some("a"), true),
        (Some("b"), false),
        (Some("c"), false),
    ] {
        assert_eq!(
            verifies(&keys, AssertionAlgorithm::Es256, kid, EC_SIGNED),
            expected,
            "{kid:?}"
        );
    }
}

#[test]
fn a_private_key_or_a_shared_secret_spoils_the_whole_set() {
    for secret in [
        with(ec_key(), "d", &json!("x")),
        with(rsa_key(), "p", &json!("x")),
        with(ed_key(), "d", &json!(null)),
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
        json!({ "kty": "oct" }),
    ] {
        let set = json!({ "keys": [rsa_key(), secret] });
        assert_eq!(
            ClientKeys::parse(&set).err(),
            Some(BadKeySet::Private),
            "{secret}"
        );
    }
}

#[test]
fn keys_that_sign_no_assertion_are_passed_over_and_do_not_suffice() {
    let short = "u".repeat(340);
    let long = "u".repeat(1367);
    for key in [
        with(rsa_key(), "use", &json!("enc")),
        with(rsa_key(), "key_ops", &json!(["encrypt"])),
        with(rsa_key(), "alg", &json!("HS256")),
        with(rsa_key(), "alg", &json!(256)),
        with(rsa_key(), "n", &json!(short)),
        with(rsa_key(), "n", &json!(long)),
        with(rsa_key(), "n", &json!("")),
        with(ec_key(), "crv", &json!("P-384")),
        with(ed_key(), "crv", &json!("X25519")),
        json!({ "kty": "EC", "crv": "P-256", "x": 1 }),
        json!({ "kty": "AKP" }),
        json!({}),
    ] {
        let alone = ClientKeys::of(std::slice::from_ref(&key));
        assert_eq!(alone.err(), Some(BadKeySet::NoneSigns), "{key}");
        assert!(verifies(
            &[key, ec_key()],
            AssertionAlgorithm::Es256,
            None,
            EC_SIGNED
        ));
    }
}

#[test]
fn what_is_no_set_or_too_large_a_one_is_refused() {
    for set in [
        json!([]),
        json!({}),
        json!({ "keys": {} }),
        json!({ "keys": ["x"] }),
        json!("x"),
    ] {
        assert_eq!(ClientKeys::parse(&set).err(), Some(BadKeySet::Malformed), "{set}");
    }
    assert_eq!(ClientKeys::of(&[]).err(), Some(BadKeySet::NoneSigns));
    assert!(ClientKeys::of(&vec![ed_key(); 20]).is_ok());
    assert_eq!(
        ClientKeys::of(&vec![ed_key(); 21]).err(),
        Some(BadKeySet::TooMany)
    );
}
