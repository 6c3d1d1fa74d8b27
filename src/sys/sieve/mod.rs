//! A socket filter (classic BPF): which adverts the kernel hands over at all.
//!
//! What is for no virtual router of ours never wakes us up. Under a flood the kernel also drops nearly all that is surely
//! bad, so that the buffer of the socket stays free for adverts that count: one in [`SAMPLE`] is let through, to be named
//! and counted.

use std::io;
use std::os::fd::AsFd;

use socket2::{SockFilter, SockRef};

/// One in so many bad packets passes a strict sieve.
pub const SAMPLE: u32 = 64;

/// What all sound adverts of a virtual router have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sound {
    /// The virtual router.
    pub vrid: u8,
    /// Version and type.
    pub first: u8,
    /// TTL or hop limit; `None`: any.
    pub ttl: Option<u8>,
    /// At least so many bytes, without headers before it.
    pub len: u32,
    /// Kind of authentication (version 2).
    pub auth: Option<u8>,
    /// Password and where it stands.
    pub password: Option<(u32, [u8; 8])>,
}

/// Which packets of a raw socket are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sieve {
    /// The socket is an IPv6 one: no IP header in front.
    pub v6: bool,
    /// Bytes between the IP header and the advert.
    pub at: u32,
    /// The virtual routers; a number that occurs twice is not looked into.
    pub routers: Vec<Sound>,
    /// Sort out what is not sound, too.
    pub strict: bool,
}

/// Lets only these packets through to the socket.
///
/// # Errors
/// What the kernel says.
pub fn attach(socket: &impl AsFd, sieve: &Sieve) -> io::Result<()> {
    SockRef::from(socket).attach_filter(&sieve.program())
}

/// Lets all packets through again.
///
/// # Errors
/// What the kernel says; `NotFound` if none was attached.
pub fn detach(socket: &impl AsFd) -> io::Result<()> {
    SockRef::from(socket).detach_filter()
}

/// Opcodes (`linux/filter.h`).
const LD_LEN: u16 = 0x80;
const LD_WORD_IND: u16 = 0x40;
const LD_BYTE_IND: u16 = 0x50;
const LD_BYTE_ABS: u16 = 0x30;
const LD_WORD_ABS: u16 = 0x20;
const LDX_HEADER_LEN: u16 = 0xb1;
const LDX_IMMEDIATE: u16 = 0x01;
const SUB_X: u16 = 0x1c;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// Everything of the packet.
const ALL: u32 = u32::MAX;
/// Offsets from the IP header (`SKF_NET_OFF`) and of a random number (`SKF_AD_OFF + SKF_AD_RANDOM`).
const FROM_IP: u32 = (-0x10_0000_i32) as u32;
const RANDOM: u32 = (-0x1000_i32 + 56) as u32;

/// Bytes of an advert that say for whom it is.
const HEAD: u32 = 8;

#[derive(Default)]
struct Program(Vec<SockFilter>);

impl Program {
    fn put(&mut self, code: u16, k: u32) {
        self.jump(code, k, 0, 0);
    }

    fn jump(&mut self, code: u16, k: u32, jt: u8, jf: u8) {
        self.0.push(SockFilter::new(code, jt, jf, k));
    }

    /// One in [`SAMPLE`] passes, whatever it is.
    fn sample(&mut self) {
        self.put(LD_WORD_ABS, RANDOM);
        self.put(AND, SAMPLE - 1);
        self.jump(JUMP_EQUAL, 0, 0, 1);
        self.put(RETURN, ALL);
        self.put(RETURN, 0);
    }

    /// Goes on only if what was loaded is `value`; otherwise what [`Program::sample`] says.
    fn demand(&mut self, load: u16, at: u32, value: u32) {
        self.put(load, at);
        self.jump(JUMP_EQUAL, value, 5, 0);
        self.sample();
    }
}

impl Sieve {
    fn program(&self) -> Vec<SockFilter> {
        let mut program = Program::default();
        if self.v6 {
            program.put(LDX_IMMEDIATE, 0);
        } else {
            program.put(LDX_HEADER_LEN, 0);
        }
        // What is too short to be for anybody is counted for everybody.
        program.put(LD_LEN, 0);
        program.put(SUB_X, 0);
        if self.strict {
            program.jump(JUMP_AT_LEAST, self.at + HEAD, 5, 0);
            program.sample();
        } else {
            program.jump(JUMP_AT_LEAST, self.at + HEAD, 1, 0);
            program.put(RETURN, ALL);
        }
        for (n, router) in self.routers.iter().enumerate() {
            let same = |other: &&Sound| other.vrid == router.vrid;
            if self.routers[..n].iter().any(|other| same(&other)) {
                continue;
            }
            let mut block = Program::default();
            if self.strict && self.routers.iter().filter(same).count() == 1 {
                self.look(router, &mut block);
            }
            block.put(RETURN, ALL);
            program.put(LD_BYTE_IND, self.at + 1);
            program.jump(JUMP_EQUAL, router.vrid.into(), 1, 0);
            program.put(JUMP, u32::try_from(block.0.len()).unwrap_or(0));
            program.0.append(&mut block.0);
        }
        program.put(RETURN, 0);
        program.0
    }

    fn look(&self, router: &Sound, program: &mut Program) {
        program.put(LD_LEN, 0);
        program.put(SUB_X, 0);
        program.jump(JUMP_AT_LEAST, self.at + router.len, 5, 0);
        program.sample();
        program.demand(LD_BYTE_IND, self.at, router.first.into());
        if let Some(ttl) = router.ttl {
            program.demand(LD_BYTE_ABS, FROM_IP + if self.v6 { 7 } else { 8 }, ttl.into());
        }
        if let Some(auth) = router.auth {
            program.demand(LD_BYTE_IND, self.at + 4, auth.into());
        }
        if let Some((at, password)) = router.password {
            for (half, word) in [(0, &password[..4]), (4, &password[4..])] {
                let word = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
                program.demand(LD_WORD_IND, self.at + at + half, word);
            }
        }
    }
}

#[cfg(test)]
mod tests;
