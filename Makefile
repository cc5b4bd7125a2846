# The thin face of the Meson build. Each target first installs what it misses (tools/install-deps), and says so.
#
#   make            build it, in build/                 make test     all tests, with one line at the end
#   make demo       see it work                         make bench    measure it, into bench/RESULTS.md
#   make install    PREFIX=DIR, DESTDIR=DIR          make clean    remove what was built
#   make asan       all tests under ASan and UBSan      make clang    unit tests built by clang, with --werror
#   make fuzz       invent input for every parser       make format   clang-format all C

BUILD ?= build
PREFIX ?=
DESTDIR ?=

all: build

build: deps-build
	@$(call setup,$(BUILD),$(prefix))
	@meson compile -C $(BUILD)

demo: deps-demo build
	@BERTH_BUILD=$(abspath $(BUILD)) tools/demo

test: deps-test
	@$(call setup,$(BUILD),$(prefix) -Dtests=enabled)
	@tools/run-tests -C $(BUILD)

bench: deps-bench build
	@BERTH_BUILD=$(abspath $(BUILD)) bench/run

install: build
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

asan: deps-test
	@$(call setup,build-asan,-Dtests=enabled --werror -Db_sanitize=address$(comma)undefined)
	@tools/run-tests -C build-asan

clang: deps-test deps-clang
	@export CC=clang; $(call setup,build-clang,-Dtests=enabled --werror)
	@tools/run-tests -C build-clang --no-scenarios

fuzz: deps-test deps-clang
	@export CC=clang; $(call setup,build-fuzz,-Dtests=enabled -Dfuzz=true -Db_sanitize=address$(comma)undefined)
	@tools/run-tests -C build-fuzz --suite fuzz

format:
	@clang-format-14 -i $$(find src include tests examples -name node_modules -prune -o -name '*.[ch]' -print)

clean:
	@rm -rf build build-*

deps-%:
	@tools/install-deps $*

comma := ,
prefix := $(if $(PREFIX),--prefix=$(PREFIX))

# Configure folder $(1) with options $(2), once: a folder that somebody set up by hand keeps its own.
define setup
if test ! -e $(1)/build.ninja; then meson setup $(1) $(2); \
elif test -n "$(strip $(2))" && test "$$(cat $(1)/make-options 2>/dev/null)" != "$(strip $(2))"; then \
	meson configure $(1) $(2); \
fi && echo "$(strip $(2))" >$(1)/make-options
endef

.PHONY: all build demo test bench install asan clang fuzz format clean
