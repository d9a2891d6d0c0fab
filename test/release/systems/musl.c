/*
 * What Debian's libstdc++ and libgcc need of glibc and musl lacks. Debian has musl, but no libstdc++ for it, so that the
 * tests of the musl executables borrow glibc's. Exceptions of C++ do not work with this; Bun uses none. It includes no
 * headers, so that compilers for other processors need none.
 */
typedef unsigned long size_t;

void abort(void);
long getrandom(void *, size_t, unsigned);
unsigned long getauxval(unsigned long);
size_t strftime_l(char *, size_t, const char *, const void *, void *);

char __libc_single_threaded = 0;

unsigned arc4random(void)
{
	unsigned number;
	if (getrandom(&number, sizeof number, 0) != sizeof number)
		abort();
	return number;
}

unsigned long __getauxval(unsigned long type)
{
	return getauxval(type);
}

size_t __strftime_l(char *text, size_t size, const char *format, const void *time, void *locale)
{
	return strftime_l(text, size, format, time, locale);
}

int __cxa_thread_atexit_impl(void (*f)(void *), void *object, void *library)
{
	return 0;
}

int _dl_find_object(void *address, void *result)
{
	return -1;
}

struct { unsigned vendor, type, subtype, features; } __cpu_model;

int __cpu_indicator_init(void)
{
	return 0;
}
