//! How much may wait in the sockets, where the file says so.

use std::io;

use crate::ir::vrrp::ReceiveBuffer;
use crate::sys::raw::RawKey;

use super::Core;

impl Core {
    /// What the file wants the socket to hold, for all instances on it together, bytes; `None`: nothing.
    pub(in crate::vrrp::runner) fn wanted_buffer(&self, key: &RawKey) -> Option<u32> {
        let config = self.engine.config();
        let policy = &config.global.rx_bufs;
        let mut total = None;
        for (at, instance) in config.instances.iter().enumerate() {
            if self.sides[at].key.as_ref() != Some(key) {
                continue;
            }
            let mtu = || instance.interface.as_deref().and_then(|name| self.kernel.link(name)).map(|l| l.mtu);
            let packets = |bytes: u32| bytes.saturating_mul(policy.multiplier);
            let own = if let Some(bytes) = instance.kernel_rx_buf_size.filter(|bytes| *bytes > 0) {
                Some(bytes)
            } else if let Some(bytes) = policy.size {
                Some(bytes)
            } else if policy.advert {
                u32::try_from(self.engine.profile(at).advert_len()).ok().map(packets)
            } else if policy.mtu {
                mtu().map(packets)
            } else {
                None
            };
            if let Some(own) = own.filter(|bytes| *bytes > 0) {
                total = Some(total.unwrap_or(0_u32).saturating_add(own));
            }
        }
        total
    }

    /// Gives every open socket for advertisements the buffer the file wants.
    pub(super) fn size_buffers(&mut self) {
        for key in self.sides.iter().filter_map(|side| side.key.clone()).collect::<Vec<_>>() {
            if let Err(e) = self.pool.set_buffer(&key, self.wanted_buffer(&key)) {
                self.journal.warn(format!("vrrp set receive socket buffer size error {e}"));
            }
        }
    }

    /// The same for the sockets that ask and hear the kernel. What was made once stays as large when a new file says
    /// nothing of it.
    pub(super) fn size_netlink_buffers(&mut self) {
        let global = &self.engine.config().global;
        let set = |wanted: ReceiveBuffer, set: &dyn Fn(u32, bool) -> io::Result<()>| {
            let result = if wanted.size == 0 { Ok(()) } else { set(wanted.size, wanted.force) };
            if let Err(e) = result {
                let option = if wanted.force { "SO_RCVBUFFORCE" } else { "SO_RCVBUF" };
                self.journal.warn(format!("Cannot set {option} IP option. ({e})"));
            }
        };
        set(global.netlink_cmd, &|bytes, force| self.rtnl.set_buffer(bytes, force));
        set(global.netlink_monitor, &|bytes, force| self.monitor.get_ref().set_buffer(bytes, force));
    }
}
