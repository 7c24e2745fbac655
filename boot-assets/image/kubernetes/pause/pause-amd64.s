# PID 1 of every pod's sandbox: it holds the pod's namespaces open, buries orphans, and ends on SIGINT and SIGTERM. No libc:
# Linux system calls only, a kilobyte in all. Assembled by ../pause.ts.
#
# The three signals are blocked and fetched one by one: a blocked signal reaches even PID 1, whose unhandled ones the kernel
# drops (pid_namespaces(7)).

	.set	SYS_rt_sigprocmask, 14
	.set	SYS_exit, 60
	.set	SYS_wait4, 61
	.set	SYS_rt_sigtimedwait, 128

	.text
	.globl	_start
_start:
	mov	$SYS_rt_sigprocmask, %eax
	xor	%edi, %edi			# SIG_BLOCK
	lea	signals(%rip), %rsi
	xor	%edx, %edx
	mov	$8, %r10d			# bytes in a signal set
	syscall
next:
	mov	$SYS_rt_sigtimedwait, %eax
	lea	signals(%rip), %rdi
	xor	%esi, %esi			# no details
	xor	%edx, %edx			# no time limit
	mov	$8, %r10d
	syscall
	cmp	$2, %eax			# SIGINT
	je	end
	cmp	$15, %eax			# SIGTERM
	je	end
	cmp	$17, %eax			# SIGCHLD
	jne	next
reap:
	mov	$SYS_wait4, %eax
	mov	$-1, %rdi			# any child
	xor	%esi, %esi
	mov	$1, %edx			# WNOHANG
	xor	%r10d, %r10d
	syscall
	test	%rax, %rax
	jg	reap
	jmp	next
end:
	mov	$SYS_exit, %eax
	xor	%edi, %edi
	syscall

	.balign	8
signals:
	.quad	1 << 1 | 1 << 14 | 1 << 16	# SIGINT, SIGTERM, SIGCHLD: bit n - 1

	.section .note.GNU-stack, "", %progbits
