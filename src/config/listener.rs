//! `listeners` and `advertised.listeners`: where clients connect, and what they are told.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One entry of `listeners`, with what clients that come through it are told to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Upper case, as in Metadata.
    pub name: String,
    pub protocol: Protocol,
    /// As configured; empty means every address.
    pub host: String,
    /// 0 takes a free one.
    pub port: u16,
    /// What to listen on: one address, or two for `localhost`.
    pub addresses: Vec<SocketAddr>,
    /// What Metadata tells. Empty where the host is every address: then it is the machine's name, which the shell knows.
    pub advertised_host: String,
    pub advertised_port: u16,
}

/// Kafka's `SecurityProtocol`, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Protocol {
    Plaintext = 0,
    Ssl = 1,
    SaslPlaintext = 2,
    SaslSsl = 3,
}

impl Protocol {
    pub fn number(self) -> i16 {
        self as i16
    }

    pub fn parse(word: &str) -> Option<Protocol> {
        match word {
            "PLAINTEXT" => Some(Protocol::Plaintext),
            "SSL" => Some(Protocol::Ssl),
            "SASL_PLAINTEXT" => Some(Protocol::SaslPlaintext),
            "SASL_SSL" => Some(Protocol::SaslSsl),
            _ => None,
        }
    }
}

/// Reads the three options that make up the listeners. An error is a sentence without the place it came from.
pub fn parse(listeners: &[String], advertised: Option<&[String]>, protocols: &str) -> Result<Vec<Listener>, String> {
    let protocols = protocol_map(protocols)?;
    if listeners.is_empty() {
        return Err("listeners: it is empty, so nobody could connect; give at least one, for instance PLAINTEXT://127.0.0.1:9092".into());
    }
    let mut found: Vec<Listener> = Vec::new();
    for text in listeners {
        let endpoint = Endpoint::parse("listeners", text)?;
        let protocol = endpoint.protocol(&protocols)?;
        let addresses = addresses(&endpoint)?;
        for other in &found {
            clash(&endpoint, &addresses, other)?;
        }
        found.push(Listener {
            protocol,
            addresses,
            advertised_host: endpoint.host.clone(),
            advertised_port: endpoint.port,
            name: endpoint.name,
            host: endpoint.host,
            port: endpoint.port,
        });
    }
    advertise(&mut found, advertised.unwrap_or_default())?;
    Ok(found)
}

/// Two listeners may share a port only on different addresses, and a name only as the IPv4 and IPv6 side of one
/// listener (KIP-797, which also wants different names).
fn clash(endpoint: &Endpoint, addresses: &[SocketAddr], other: &Listener) -> Result<(), String> {
    let families = |addresses: &[SocketAddr]| (addresses.iter().any(SocketAddr::is_ipv4), addresses.iter().any(SocketAddr::is_ipv6));
    let (v4, v6) = families(addresses);
    let (other_v4, other_v6) = families(&other.addresses);
    if endpoint.name == other.name && (v4 && other_v4 || v6 && other_v6) {
        return Err(format!(
            "listeners: {} stands twice; give each its own name (one name may have one IPv4 and one IPv6 address)",
            endpoint.name
        ));
    }
    let same = |a: &SocketAddr, b: &SocketAddr| {
        a.port() == b.port() && a.port() != 0 && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
    };
    if addresses.iter().any(|a| other.addresses.iter().any(|b| a.is_ipv4() == b.is_ipv4() && same(a, b))) {
        return Err(format!("listeners: {} and {} both want port {}; give each its own", other.name, endpoint.name, endpoint.port));
    }
    Ok(())
}

/// The first advertised entry of a name is for its first listener, a second for its second; one entry serves both.
fn advertise(listeners: &mut [Listener], advertised: &[String]) -> Result<(), String> {
    let mut told: BTreeMap<String, Vec<Endpoint>> = BTreeMap::new();
    for text in advertised {
        let endpoint = Endpoint::parse("advertised.listeners", text)?;
        if !listeners.iter().any(|listener| listener.name == endpoint.name) {
            return Err(format!("advertised.listeners: {} is not one of listeners; add it there or remove it here", endpoint.name));
        }
        if endpoint.host.is_empty() || endpoint.ip().is_some_and(|ip| ip.is_unspecified()) {
            return Err(format!(
                "advertised.listeners: {} advertises every address, which no client can connect to; give the host that clients reach",
                endpoint.name
            ));
        }
        told.entry(endpoint.name.clone()).or_default().push(endpoint);
    }
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    for listener in listeners {
        let nth = used.entry(listener.name.clone()).or_insert(0);
        if let Some(endpoints) = told.get(&listener.name) {
            let endpoint = endpoints.get(*nth).unwrap_or(&endpoints[0]);
            listener.advertised_host = endpoint.host.clone();
            listener.advertised_port = endpoint.port;
        } else if listener.addresses.iter().any(|address| address.ip().is_unspecified()) {
            listener.advertised_host.clear();
        }
        *nth += 1;
    }
    Ok(())
}

fn protocol_map(text: &str) -> Result<BTreeMap<String, Protocol>, String> {
    let mut map = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let known = pair.split_once(':').and_then(|(name, word)| Some((name, Protocol::parse(&word.trim().to_ascii_uppercase())?)));
        let Some((name, protocol)) = known else {
            return Err(format!("listener.security.protocol.map: {pair} is not NAME:PROTOCOL; the only protocol yet is PLAINTEXT"));
        };
        map.insert(name.trim().to_ascii_uppercase(), protocol);
    }
    Ok(map)
}

fn addresses(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, String> {
    let ips = match (endpoint.host.as_str(), endpoint.ip()) {
        (_, Some(ip)) => vec![ip],
        ("", None) => vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        (host, None) if host.eq_ignore_ascii_case("localhost") => {
            vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        }
        (host, None) => {
            return Err(format!(
                "listeners: {host} is a name; give the address to listen on, or nothing for every address, and put the name \
                 into advertised.listeners"
            ));
        }
    };
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, endpoint.port)).collect())
}

struct Endpoint {
    name: String,
    host: String,
    port: u16,
}

impl Endpoint {
    /// `NAME://host:port`, an IPv6 address in brackets.
    fn parse(option: &str, text: &str) -> Result<Endpoint, String> {
        let wrong = |why: &str| format!("{option}: {text}: {why}; give NAME://host:port, for instance PLAINTEXT://127.0.0.1:9092");
        let (name, rest) = text.split_once("://").ok_or_else(|| wrong("there is no ://"))?;
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| wrong("there is no port"))?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.') {
            return Err(wrong("the name is not made of letters, digits, _, - and ."));
        }
        let port = port.parse::<u16>().map_err(|_| wrong("the port is not a number from 0 to 65535"))?;
        let host = match host.strip_prefix('[') {
            Some(inner) => {
                let inner = inner.strip_suffix(']').filter(|inner| inner.parse::<Ipv6Addr>().is_ok());
                inner.ok_or_else(|| wrong("what is in brackets is not an IPv6 address"))?
            }
            None if host.contains(':') => return Err(wrong("an IPv6 address stands in brackets")),
            None => host,
        };
        Ok(Endpoint { name: name.to_ascii_uppercase(), host: host.to_string(), port })
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    fn protocol(&self, map: &BTreeMap<String, Protocol>) -> Result<Protocol, String> {
        let protocol = map.get(&self.name).copied().or_else(|| Protocol::parse(&self.name)).ok_or_else(|| {
            format!("listeners: no protocol is known for {}; add {}:PLAINTEXT to listener.security.protocol.map", self.name, self.name)
        })?;
        match protocol {
            Protocol::Plaintext => Ok(protocol),
            other => Err(format!("listeners: {} speaks {other:?}, which is not served yet; PLAINTEXT is", self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,SSL:SSL";

    /// `name host port addresses advertised`, a line for each listener, or the sentence.
    fn shown(listeners: &str, advertised: &str) -> String {
        let list = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
        let advertised = list(advertised);
        match parse(&list(listeners), Some(&advertised), MAP) {
            Ok(listeners) => listeners
                .iter()
                .map(|l| format!("{} {:?} tells {}:{}", l.name, l.addresses, l.advertised_host, l.advertised_port))
                .collect::<Vec<_>>()
                .join("\n"),
            Err(why) => why,
        }
    }

    #[test]
    fn one_name_may_have_an_address_of_each_family() {
        assert_eq!(
            shown("PLAINTEXT://127.0.0.1:9092 PLAINTEXT://[::1]:9092", ""),
            "PLAINTEXT [127.0.0.1:9092] tells 127.0.0.1:9092\nPLAINTEXT [[::1]:9092] tells ::1:9092"
        );
        assert_eq!(
            shown("PLAINTEXT://127.0.0.1:9092 PLAINTEXT://[::1]:9092", "PLAINTEXT://broker.example:19092"),
            "PLAINTEXT [127.0.0.1:9092] tells broker.example:19092\nPLAINTEXT [[::1]:9092] tells broker.example:19092"
        );
        assert_eq!(shown("PLAINTEXT://localhost:1", ""), "PLAINTEXT [127.0.0.1:1, [::1]:1] tells localhost:1");
        assert_eq!(shown("internal://:0", ""), "INTERNAL [[::]:0] tells :0");
    }

    #[test]
    fn mistakes_in_listeners_are_told_with_what_to_do() {
        for (listeners, advertised, sentence) in [
            ("", "", "listeners: it is empty"),
            ("127.0.0.1:9092", "", "listeners: 127.0.0.1:9092: there is no ://; give NAME://host:port"),
            ("PLAINTEXT://127.0.0.1", "", "listeners: PLAINTEXT://127.0.0.1: there is no port"),
            ("PLAINTEXT://127.0.0.1:65536", "", "listeners: PLAINTEXT://127.0.0.1:65536: the port is not a number from 0 to 65535"),
            ("PLAINTEXT://::1:9092", "", "listeners: PLAINTEXT://::1:9092: an IPv6 address stands in brackets"),
            ("PLAINTEXT://[x]:9092", "", "listeners: PLAINTEXT://[x]:9092: what is in brackets is not an IPv6 address"),
            ("PLAINTEXT://a.example:9092", "", "listeners: a.example is a name"),
            ("PLAINTEXT://127.0.0.1:1 PLAINTEXT://127.0.0.1:2", "", "listeners: PLAINTEXT stands twice"),
            ("PLAINTEXT://127.0.0.1:1 INTERNAL://127.0.0.1:1", "", "listeners: PLAINTEXT and INTERNAL both want port 1"),
            ("PLAINTEXT://0.0.0.0:1 INTERNAL://127.0.0.1:1", "", "listeners: PLAINTEXT and INTERNAL both want port 1"),
            ("SSL://127.0.0.1:1", "", "listeners: SSL speaks Ssl, which is not served yet"),
            ("FOO://127.0.0.1:1", "", "listeners: no protocol is known for FOO"),
            ("PLAINTEXT://:1", "PLAINTEXT://0.0.0.0:1", "advertised.listeners: PLAINTEXT advertises every address"),
            ("PLAINTEXT://:1", "OTHER://h:1", "advertised.listeners: OTHER is not one of listeners"),
        ] {
            let told = shown(listeners, advertised);
            assert!(told.starts_with(sentence), "{listeners}: {told}");
        }
    }
}
