/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For large buffers on the stack that are filled before they are read: the
 * build zeroes every variable, which for these costs more than their use. */
#ifndef COMMON_UNINIT_H
#define COMMON_UNINIT_H

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define uninit __attribute__((uninitialized))
#endif
#endif
#ifndef uninit
#define uninit
#endif

#endif
