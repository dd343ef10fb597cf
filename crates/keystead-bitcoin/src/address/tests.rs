//! Addresses go there and back on their own network, and nowhere else.

use super::*;
use crate::fixture::{ALL_FORMS, desk, receive};

#[test]
fn s08_an_address_is_of_its_network_and_of_no_other() {
    let (desk, bech32) = (desk(), ["bcrt1", "tb1", "tb1", "bc1"]);
    let networks = [Network::Regtest, Network::Signet, Network::Testnet4, Network::Mainnet];
    for form in ALL_FORMS {
        let script = desk.script(receive(form));
        for (network, prefix) in networks.into_iter().zip(bech32) {
            let address = address_of(&script, network).unwrap();
            assert_eq!(parse_address(&address, network), Ok(script.clone()), "{address}");
            let base58 = !address.contains('1') || !address.starts_with(prefix);
            for other in networks.into_iter().filter(|it| *it != network) {
                let same = match base58 {
                    true => other.kind() == network.kind(),
                    false => address_of(&script, other).unwrap() == address,
                };
                let expected = match same {
                    true => Ok(script.clone()),
                    false => Err(AddressError::WrongNetwork { expected: other }),
                };
                assert_eq!(parse_address(&address, other), expected, "{address} on {other}");
            }
        }
    }
}

#[test]
fn s02_what_is_no_address_to_pay_to_is_refused_with_its_code() {
    let address = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu";
    for (code, text) in [
        ("address.too_long", "1".repeat(91)),
        ("address.malformed", String::new()),
        ("address.malformed", address.replace("306fyu", "306fyv")),
        ("address.malformed", format!(" {address}")),
        ("address.malformed", address.replace("bc1q", "bc1Q")),
        ("address.malformed", "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabB".to_owned()),
        ("address.wrong_network", "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2".to_owned()),
        // BIP-350: a program of version 16, and one of version 2.
        ("address.not_standard", "bc1sw50qgdz25j".to_owned()),
        ("address.not_standard", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs".to_owned()),
    ] {
        assert_eq!(parse_address(&text, Network::Mainnet).expect_err(&text).code(), code, "{text}");
    }
    assert!(
        parse_address(&address.to_uppercase(), Network::Mainnet).is_ok(),
        "BIP-173 allows capitals for QR codes"
    );
}
