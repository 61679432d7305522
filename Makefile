# SPDX-License-Identifier: GPL-2.0
#
# For people; what a module is made of stands in Kbuild. `make help` lists what
# there is.

# Debian's own headers lack what Rust takes; what `make rust-headers` packs has all.
RUST_HEADERS := $(wildcard /usr/src/linux-headers-$(shell uname -r)-rust)
KDIR ?= $(or $(RUST_HEADERS),/lib/modules/$(shell uname -r)/build)
KERNEL_FLAVOUR ?= vm
PREFIX ?= /usr/local
DESTDIR ?=

.DEFAULT_GOAL := modules

## For the running kernel, or the one whose build directory is KDIR:
.PHONY: modules
modules: has-hooks		## build the modules (the default)
	$(MAKE) -C $(KDIR) M=$(CURDIR) $(tkhooks) modules

.PHONY: has-hooks
has-hooks:
	@test -e $(KDIR)/include/config/auto.conf || { \
		echo "$(KDIR) is not there: install that kernel's headers, or set KDIR, or see 'make help' for the virtual machine" >&2; exit 1; }
	@test -z "$(tkhooks)" || test -e $(KDIR)/rust/libkernel.rmeta || { \
		echo "the kernel of $(KDIR) has no hooks.patch, and its headers have nothing for Rust: see 'Install' in README.md" >&2; exit 1; }
	@test -z "$(tkhooks)" || test -e patch || build/patch.sh files patch

# Without hooks.patch the kernel's hooks are tkhooks's, which has files of the patch.
tkhooks = $(if $(shell grep -s ^CONFIG_TKERNEL_HOOKS=y $(KDIR)/include/config/auto.conf),,TKHOOKS=1)

.PHONY: install
install: modules		## install the modules and the C header (DESTDIR, PREFIX)
	$(MAKE) -C $(KDIR) M=$(CURDIR) $(tkhooks) INSTALL_MOD_PATH=$(DESTDIR) modules_install
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include include/uapi/ttools.h

.PHONY: clean
clean:				## remove what was built, but for the cache
	$(if $(wildcard $(KDIR)),$(MAKE) -C $(KDIR) M=$(CURDIR) clean)
	rm -rf out $(if $(wildcard hooks.patch),patch)

## Packages. FLAVOURS: kernels to pack: cloud-amd64, amd64 (Debian's configurations), vm; may be empty
FLAVOURS ?= cloud-amd64
.PHONY: deb
deb:				## make the Debian packages of all this, in out/deb
	@build/deb.sh $(FLAVOURS)

# For the running kernel, unless RELEASE names another.
.PHONY: rust-headers
rust-headers:			## pack what the headers of Debian's own kernel lack for Rust (RELEASE), in out/deb
	@build/rust-headers.sh $(RELEASE)

## In the virtual machine. KERNEL_FLAVOUR: vm (patched), debug (with checkers), ext (with sched_ext), vanilla (not patched), stock (Debian's own), stock-debug (not patched, with checkers)
.PHONY: kernel
kernel:				## build the kernel with hooks.patch, print where it is
	@build/kernel.sh $(KERNEL_FLAVOUR)

.PHONY: demo
demo:				## watch gdb fail, as root, on a process that protects itself
	@demo/run.sh

.PHONY: test
test:				## run all tests; ends with 'N passed, N failed'
	@tests/run.sh $(KERNEL_FLAVOUR)

.PHONY: bench
bench:				## measure what the hooks and modules cost, in instructions
	@tests/bench/run.sh

.PHONY: lint
lint:				## clippy, rustfmt, checkpatch, shellcheck and our own rules
	@build/lint.sh

# SCRIPT=FILE runs FILE as root in the guest; prints what it prints, exits with
# its status. VM_CPUS, VM_MEM (MiB), VM_ARGS (for QEMU), VM_ICOUNT=1
# (deterministic time), VM_TIMEOUT (seconds).
export VM_CPUS VM_MEM VM_ARGS VM_ICOUNT VM_TIMEOUT
.PHONY: vm
vm: run-in-vm			## run SCRIPT=FILE in the virtual machine
	@$(tk-exit $(vm-status))

# make itself knows no exit status but 2 for a recipe that failed.
ifneq ($(filter vm,$(MAKECMDGOALS)),)
vm-status := $(shell mktemp)
-load $(shell tests/vm/make-status.sh)(tk_status_setup)
endif

.PHONY: run-in-vm
run-in-vm:
	@tests/vm/run.sh $(KERNEL_FLAVOUR) "$(SCRIPT)"; echo $$? >$(vm-status)

.PHONY: help
help:				## show this
	@sed -n 's/^## *\(.*\)/\n\1/p; s/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16
