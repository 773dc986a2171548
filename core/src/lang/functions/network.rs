//! Address arithmetic: `cidrhost`, `cidrnetmask`, `cidrsubnet`, `cidrsubnets`.

use super::string::text;
use super::{Accepts, Context, Failure, Function, Parameter, Returns, number, string};
use crate::lang::types::Type;
use crate::lang::value::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

type Run = fn(&Context<'_>, &[Value]) -> Result<Value, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    address("cidrhost", &[string("prefix"), number("hostnum")], host),
    address("cidrnetmask", &[string("prefix")], netmask),
    address(
        "cidrsubnet",
        &[string("prefix"), number("newbits"), number("netnum")],
        subnet,
    ),
    Function {
        name: "cidrsubnets",
        parameters: &[string("prefix")],
        variadic: Some(number("newbits")),
        returns: Returns::Always(Accepts::ListOfString),
        run: subnets,
    },
];

const fn address(name: &'static str, parameters: &'static [Parameter], run: Run) -> Function {
    Function {
        name,
        parameters,
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run,
    }
}

/// A network: its first address as a number, how many bits that has, and how many of them are the prefix.
#[derive(Clone, Copy)]
struct Network {
    base: u128,
    width: u32,
    prefix: u32,
}

impl Network {
    fn parse(arguments: &[Value]) -> Result<Self, Failure> {
        let given = text(&arguments[0]);
        let invalid = || {
            Failure::Argument(
                0,
                format!("invalid CIDR expression: invalid CIDR address: {given}"),
            )
        };
        let (address, prefix) = given.split_once('/').ok_or_else(invalid)?;
        let digits = !prefix.is_empty()
            && prefix.len() <= 3
            && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u32 = prefix.parse().ok().filter(|_| digits).ok_or_else(invalid)?;
        let (base, width) = if address.contains(':') {
            (
                u128::from(address.parse::<Ipv6Addr>().map_err(|_| invalid())?),
                128,
            )
        } else {
            (
                u128::from(u32::from(lenient_v4(address).ok_or_else(invalid)?)),
                32,
            )
        };
        if prefix > width {
            return Err(invalid());
        }
        let network = Self {
            base,
            width,
            prefix,
        };
        // The bits of a host in the given address are dropped.
        Ok(Self {
            base: network.base & !network.host_mask(),
            ..network
        })
    }

    fn host_bits(self) -> u32 {
        self.width - self.prefix
    }

    fn host_mask(self) -> u128 {
        ones(self.host_bits())
    }

    fn address(self, number: u128) -> IpAddr {
        if self.width == 32 {
            IpAddr::V4(Ipv4Addr::from(
                u32::try_from(number & ones(32)).unwrap_or(u32::MAX),
            ))
        } else {
            IpAddr::V6(Ipv6Addr::from(number))
        }
    }

    fn display(self) -> String {
        format!("{}/{}", self.address(self.base), self.prefix)
    }
}

fn ones(bits: u32) -> u128 {
    if bits >= 128 {
        u128::MAX
    } else {
        (1 << bits) - 1
    }
}

/// Terraform still reads `010.0.0.0` as `10.0.0.0`, as Go once did; newer parsers refuse leading zeros.
fn lenient_v4(address: &str) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = address.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        *octet = Some(part).filter(|_| digits)?.parse().ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn whole(arguments: &[Value], index: usize) -> Result<i128, Failure> {
    let number = arguments
        .get(index)
        .and_then(Value::as_number)
        .filter(|number| number.is_integer());
    let number = number.and_then(|number| number.to_radix(10).parse().ok());
    number.ok_or_else(|| Failure::Argument(index, "a whole number is required".to_owned()))
}

fn host(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let network = Network::parse(arguments)?;
    let number = whole(arguments, 1)?;
    let mask = network.host_mask();
    // A negative number counts back from the last address.
    let distance = if number < 0 {
        number.unsigned_abs() - 1
    } else {
        number.unsigned_abs()
    };
    if distance > mask {
        let message = format!(
            "prefix of {} does not accommodate a host numbered {number}",
            network.prefix
        );
        return Err(Failure::Call(message));
    }
    let offset = if number < 0 {
        mask - distance
    } else {
        distance
    };
    Ok(network.address(network.base | offset).to_string().into())
}

fn netmask(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let network = Network::parse(arguments)?;
    if network.width != 32 {
        return Err(Failure::Argument(
            0,
            "IPv6 addresses cannot have a netmask: only IPv4 has one".to_owned(),
        ));
    }
    Ok(network
        .address(ones(32) & !network.host_mask())
        .to_string()
        .into())
}

fn new_bits(arguments: &[Value], index: usize, network: Network) -> Result<u32, Failure> {
    let bits = whole(arguments, index)?;
    let bits = u32::try_from(bits).map_err(|_| {
        Failure::Argument(
            index,
            "the number of new bits must not be negative".to_owned(),
        )
    })?;
    if bits > network.host_bits() {
        let message = format!(
            "insufficient address space to extend prefix of {} by {bits}",
            network.prefix
        );
        return Err(Failure::Argument(index, message));
    }
    Ok(bits)
}

fn subnet(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let network = Network::parse(arguments)?;
    let bits = new_bits(arguments, 1, network)?;
    let number = whole(arguments, 2)?;
    let number = u128::try_from(number)
        .ok()
        .filter(|number| *number <= ones(bits))
        .ok_or_else(|| {
            Failure::Argument(
                2,
                format!(
                    "prefix extension of {bits} does not accommodate a subnet numbered {number}"
                ),
            )
        })?;
    let prefix = network.prefix + bits;
    let shift = network.width - prefix;
    let offset = number.checked_shl(shift).unwrap_or(0);
    Ok(Network {
        base: network.base | offset,
        prefix,
        ..network
    }
    .display()
    .into())
}

/// One network after the other, each at the next address that its size allows.
fn subnets(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let network = Network::parse(arguments)?;
    let end = network.base | network.host_mask();
    let mut next = Some(network.base);
    let mut out = Vec::new();
    for index in 1..arguments.len() {
        let bits = new_bits(arguments, index, network)?;
        if bits == 0 {
            return Err(Failure::Argument(
                index,
                "must extend prefix by at least one bit".to_owned(),
            ));
        }
        let prefix = network.prefix + bits;
        let mask = ones(network.width - prefix);
        let start = next
            .and_then(|next| next.checked_add(mask))
            .map(|last| last & !mask);
        let start = start.filter(|start| (start | mask) <= end).ok_or_else(|| {
            let message = format!("not enough remaining address space for a subnet with a prefix of {prefix} bits after the ones before");
            Failure::Argument(index, message)
        })?;
        out.push(
            Network {
                base: start,
                prefix,
                ..network
            }
            .display()
            .into(),
        );
        next = (start | mask).checked_add(1);
    }
    Ok(Value::list(Type::String, out))
}
