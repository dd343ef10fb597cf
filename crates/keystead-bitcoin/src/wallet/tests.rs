//! A wallet is of one network, and nothing in it is there twice.

use keystead_base::Coded as _;

use super::*;
use crate::fixture::{ALL_FORMS, WPKH, at, desk};
use crate::{Branch, NetworkError};

#[test]
fn s08_a_wallet_is_of_one_network_and_holds_nothing_twice() {
    let all = desk().wallet.descriptors().to_vec();
    let new = |network, descriptors| Wallet::new(network, descriptors).map_err(|it: WalletError| it.code());
    assert!(new(Network::Regtest, all.clone()).is_ok());
    for other in [Network::Mainnet, Network::Testnet4, Network::Signet] {
        assert_eq!(new(other, all.clone()).unwrap_err(), "wallet.wrong_network");
    }
    assert_eq!(new(Network::Regtest, Vec::new()).unwrap_err(), "wallet.size");
    let many = vec![all[0].clone(); MAX_DESCRIPTORS + 1];
    assert_eq!(new(Network::Regtest, many).unwrap_err(), "wallet.size");
    let same_name = vec![all[0].clone(), (all[0].0.clone(), all[1].1.clone())];
    assert_eq!(new(Network::Regtest, same_name).unwrap_err(), "wallet.twice");
    let same_text = vec![all[0].clone(), (all[1].0.clone(), all[0].1.clone())];
    assert_eq!(new(Network::Regtest, same_text).unwrap_err(), "wallet.twice");
}

#[test]
fn s02_a_script_is_found_within_the_range_and_nowhere_else() {
    let desk = desk();
    for form in ALL_FORMS {
        for owned in [at(form, Branch::Receive, 5), at(form, Branch::Change, 7)] {
            let (script, index) = (desk.script(owned), owned.place.index);
            assert_eq!(desk.wallet.find(&script, 0, 8), Some(owned));
            assert_eq!(desk.wallet.find(&script, index, 1), Some(owned));
            assert_eq!(desk.wallet.find(&script, 0, u16::try_from(index).unwrap()), None);
            assert_eq!(desk.wallet.find(&script, index + 1, 3), None);
        }
    }
    let last = at(WPKH, Branch::Receive, (1 << 31) - 1);
    assert_eq!(desk.wallet.find(&desk.script(last), last.place.index, 10), Some(last));
    assert_eq!(desk.wallet.derive(at(WPKH, Branch::Receive, 1 << 31)), None);
}

#[test]
fn s08_networks_go_by_their_names() {
    for network in Network::ALL {
        assert_eq!(network.to_string().parse(), Ok(network));
    }
    for name in ["bitcoin", "testnet", "Mainnet", ""] {
        assert_eq!(name.parse::<Network>(), Err(NetworkError));
    }
}
