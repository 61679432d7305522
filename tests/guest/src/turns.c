// SPDX-License-Identifier: GPL-2.0
/*
 * turns USEC: in deterministic time the emulator runs the CPUs in turns, each up
 * to the next timer of the machine, which may be milliseconds away: so long
 * another CPU waits, and so long appears to take what is done there. With a timer
 * that ticks every USEC microseconds, and that nobody listens to, turns are short.
 * 0 stops it.
 *
 * It is the i8254, which the kernel doesn't use where it has the local APIC's
 * timers. Its pins of the I/O APIC and its line of the i8259 are masked first.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <sys/mman.h>

#define IO_APIC 0xfec00000
#define IO_APIC_WINDOW 4
#define IO_APIC_MASKED 0x10000
#define PIC_MASK 0x21
#define PIT_CONTROL 0x43
#define PIT_COUNTER0 0x40
#define PIT_RATE_GENERATOR 0x34
#define PIT_ONE_SHOT 0x30
#define PIT_HZ 1193182LL

int main(int argc, char **argv)
{
	volatile unsigned int *io_apic;
	long long count;
	int memory, pin;

	if (argc != 2) {
		fprintf(stderr, "usage: turns USEC\n");
		return 2;
	}
	memory = open("/dev/mem", O_RDWR | O_SYNC);
	io_apic = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, IO_APIC);
	if (memory < 0 || io_apic == MAP_FAILED || iopl(3)) {
		perror("turns");
		return 1;
	}
	/* The interrupt of the i8254 is at one of these. */
	for (pin = 0; pin <= 2; pin += 2) {
		unsigned int entry;

		io_apic[0] = 0x10 + 2 * pin;
		entry = io_apic[IO_APIC_WINDOW];
		io_apic[0] = 0x10 + 2 * pin;
		io_apic[IO_APIC_WINDOW] = entry | IO_APIC_MASKED;
	}
	outb(inb(PIC_MASK) | 1, PIC_MASK);

	count = atoll(argv[1]) * PIT_HZ / 1000000;
	if (count > 0xffff)
		count = 0xffff;
	if (argv[1][0] == '0') {
		/* Ticks once more, and never again. */
		outb(PIT_ONE_SHOT, PIT_CONTROL);
		count = 0;
	} else {
		outb(PIT_RATE_GENERATOR, PIT_CONTROL);
		if (count < 2)
			count = 2;
	}
	outb(count & 0xff, PIT_COUNTER0);
	outb(count >> 8, PIT_COUNTER0);
	return 0;
}
