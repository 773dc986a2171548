//! Scale sets and their instances, as far as an instance runs commands and tells its power state.
//!
//! Azure makes the instances of a set itself; here whoever sets the scene PUTs them.

pub(super) const TYPE: &str = "Microsoft.Compute/virtualMachineScaleSets";
pub(super) const INSTANCE: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines";
