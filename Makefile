# Teal. `make demo` and `make test` do everything on a fresh Debian 12.
BUILD := build

.PHONY: demo test build bench sim soak format lint check nightly clean

demo: ; @scripts/demo

test: ; @scripts/install-deps && scripts/test release

build: ; @scripts/install-deps build && scripts/build release teal

bench: ; @scripts/install-deps && bench/run

# Durable sessions in the simulator: random programs under faults. SEEDS=n: how many; SEED=n: that one.
SEEDS := 10000
sim: ; @scripts/install-deps build && scripts/build release test_sim && \
	TEAL_SIM_SEEDS=$(SEEDS) $(if $(SEED),TEAL_SIM_SEED=$(SEED)) $(BUILD)/release/test_sim --gtest_filter='*RandomPrograms*'

# Real hosts under load for longer: one is killed KILLS times; of several, over one PostgreSQL, ROUNDS times each way.
KILLS := 100
ROUNDS := 20
soak: ; @scripts/install-deps && scripts/build release teal teal-serve teal_plugin_local teal_plugin_k8s && \
	tests/kill/run --build $(BUILD)/release --kills $(KILLS) && tests/kill/shared --build $(BUILD)/release --rounds $(ROUNDS)

# Longer checks than a CI run has time for: more seeds, more fuzzing, every mutation.
nightly: ; @scripts/install-deps && scripts/nightly

format: ; @git ls-files '*.h' '*.hpp' '*.cpp' | grep -v '^tests/abi/v1_0/' | xargs clang-format-19 -i

# Formatting, headers that stand alone, the direction of includes.
check: ; @scripts/check

lint: ; @scripts/build lint teal_proto && git ls-files 'core/*.cpp' 'cli/*.cpp' | xargs -n 4 -P 2 clang-tidy-19 --quiet -p $(BUILD)/lint

clean: ; @rm -rf $(BUILD)
