//! The settings of wasmtime.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result,
    WasmBacktraceDetails,
};

/// Entries of all tables that one call may have; Go has one for each function.
pub(super) const TABLE_ELEMENTS: usize = 200_000;

/// Instances, tables and memories that one call may have, each. A component has a few.
pub(super) const PARTS: u32 = 32;

/// Memory of the pool's tables, which counts as taken from the start.
pub(super) const TABLE_MEMORY: u64 = 8 * PARTS as u64 * TABLE_ELEMENTS as u64;

/// What is run: strangers' modules, or the interpreter of Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guests {
    Modules,
    Python,
}

/// What decides on the machine code must be the same in both.
fn config(guests: Guests) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // Data is copied instead of mapped: mapping would need files in memory, which the runner
        // is not allowed to make. That of Python is 20 MB, and in a file that is open already.
        .memory_init_cow(guests == Guests::Python)
        // Only debuggers would read it.
        .native_unwind_info(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

/// For a child that compiles and is gone.
pub(super) fn compiler(guests: Guests) -> Result<Engine> {
    Engine::new(&config(guests))
}

/// For a runner: memory, tables and stacks are taken from a pool and given back.
pub(super) fn pooling(guests: Guests) -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(PARTS)
        .total_component_instances(PARTS)
        .total_memories(PARTS)
        .total_tables(PARTS)
        .total_stacks(1)
        .max_memories_per_module(PARTS)
        .max_tables_per_module(PARTS)
        .max_core_instance_size(16 * 1024 * 1024)
        .max_component_instance_size(16 * 1024 * 1024)
        .table_elements(TABLE_ELEMENTS)
        // It would open a file below /proc.
        .pagemap_scan(Enabled::No);
    Engine::new(config(guests).allocation_strategy(InstanceAllocationStrategy::Pooling(pool)))
}
