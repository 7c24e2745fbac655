// PID 1 of every pod's sandbox: it holds the pod's namespaces open, buries orphans, and ends on SIGINT and SIGTERM. No libc:
// Linux system calls only, a kilobyte in all. Assembled by ../pause.ts.
//
// The three signals are blocked and fetched one by one: a blocked signal reaches even PID 1, whose unhandled ones the kernel
// drops (pid_namespaces(7)).

	.set	SYS_exit, 93
	.set	SYS_rt_sigprocmask, 135
	.set	SYS_rt_sigtimedwait, 137
	.set	SYS_wait4, 260

	.text
	.globl	_start
_start:
	mov	x8, SYS_rt_sigprocmask
	mov	x0, 0				// SIG_BLOCK
	adr	x1, signals
	mov	x2, 0
	mov	x3, 8				// bytes in a signal set
	svc	0
next:
	mov	x8, SYS_rt_sigtimedwait
	adr	x0, signals
	mov	x1, 0				// no details
	mov	x2, 0				// no time limit
	mov	x3, 8
	svc	0
	cmp	x0, 2				// SIGINT
	b.eq	end
	cmp	x0, 15				// SIGTERM
	b.eq	end
	cmp	x0, 17				// SIGCHLD
	b.ne	next
reap:
	mov	x8, SYS_wait4
	mov	x0, -1				// any child
	mov	x1, 0
	mov	x2, 1				// WNOHANG
	mov	x3, 0
	svc	0
	cmp	x0, 0
	b.gt	reap
	b	next
end:
	mov	x8, SYS_exit
	mov	x0, 0
	svc	0

	.balign	8
signals:
	.quad	1 << 1 | 1 << 14 | 1 << 16	// SIGINT, SIGTERM, SIGCHLD: bit n - 1

	.section .note.GNU-stack, "", %progbits
