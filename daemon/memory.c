/* Resident memory. Loading libcurl's libraries leaves some eight megabytes of their text mapped, of which
 * an idle daemon uses a few hundred kilobytes. */
#include "daemon/memory.h"

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_core(const struct dl_phdr_info *info)
{
	return info->dlpi_name[0] == '\0' || strstr(info->dlpi_name, "/libc.so") ||
		strstr(info->dlpi_name, "/ld-linux") || strstr(info->dlpi_name, "vdso");
}

static int shed_object(struct dl_phdr_info *info, size_t size, void *userdata)
{
	const bool *keep_core = userdata;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	if (*keep_core && is_core(info))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t start = (info->dlpi_addr + ph->p_vaddr) & ~(page - 1);
		uintptr_t end = (info->dlpi_addr + ph->p_vaddr + ph->p_filesz) & ~(page - 1);

		/* Never what may be written: that would be lost. */
		if (ph->p_type == PT_LOAD && !(ph->p_flags & PF_W) && end > start)
			(void)madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void memory_shed(bool keep_core)
{
	(void)dl_iterate_phdr(shed_object, &keep_core);
}
