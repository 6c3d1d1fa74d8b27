//! Converters on integers and addresses. Results saturate, as HAProxy's do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ir::expr::{Arith, Conv};

use super::super::ctx::Ctx;
use super::super::sample::Sample;
use super::operand;

pub(super) fn apply<'a>(conv: &'a Conv, sample: Sample<'a>, ctx: &Ctx<'a>) -> Option<Sample<'a>> {
    if let Conv::IpMask { v4, v6 } = conv {
        return ip_mask(sample.as_ip()?, *v4, *v6);
    }
    let n = sample.as_int()?;
    // A boolean stays one while its number is that of one.
    let number = |n| match (n, &sample) {
        (0 | 1, Sample::Bool(_)) => Sample::Bool(n == 1),
        _ => Sample::Int(n),
    };
    Some(match conv {
        Conv::Arith(op, right) => number(arith(*op, n, operand(right, ctx)?)),
        Conv::Complement => number(!n),
        Conv::Negate => number(n.checked_neg().unwrap_or(i64::MAX)),
        Conv::Not => Sample::Bool(n == 0),
        Conv::Bool => Sample::Bool(n != 0),
        Conv::Odd => Sample::Bool(n & 1 == 1),
        Conv::Even => Sample::Bool(n & 1 == 0),
        _ => return None,
    })
}

fn arith(op: Arith, a: i64, b: i64) -> i64 {
    match op {
        Arith::Add => a.saturating_add(b),
        Arith::Sub => a.saturating_sub(b),
        Arith::Mul => a.saturating_mul(b),
        Arith::Div if b == 0 => i64::MAX,
        Arith::Div => a.checked_div(b).unwrap_or(i64::MAX),
        Arith::Mod => a.checked_rem(b).unwrap_or(0),
        Arith::And => a & b,
        Arith::Or => a | b,
        Arith::Xor => a ^ b,
    }
}

fn ip_mask(ip: IpAddr, v4: u32, v6: Option<u128>) -> Option<Sample<'static>> {
    let masked4 = |a: Ipv4Addr| Sample::Ipv4(Ipv4Addr::from(u32::from(a) & v4));
    match ip {
        IpAddr::V4(a) => Some(masked4(a)),
        IpAddr::V6(a) => match a.to_ipv4_mapped() {
            Some(a) => Some(masked4(a)),
            None => Some(Sample::Ipv6(Ipv6Addr::from(u128::from(a) & v6?))),
        },
    }
}
