//! Windows guests. Reading and writing them is not built yet, and they say so rather than look empty.

/// Why a Windows guest has no facts.
pub const NOT_YET: &str = "Windows guests are not supported yet; set its addresses, weak host model and firewall by hand as the Microsoft page says, and give its frontends guest_mode = \"none\" meanwhile";
