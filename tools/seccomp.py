"""The sandbox's system-call filter, as the BPF program that ``bwrap --seccomp`` loads.

Assembled here rather than by libseccomp: no shared library to find on the host, and no time lost at a cold start. A
test compares the numbers with libseccomp's own table. Only x86_64 and aarch64 are known; elsewhere :func:`program`
raises.

It is the second wall (the first is bubblewrap's namespaces without capabilities) and the only one against sockets other
than AF_UNIX (AF_VSOCK is in no namespace), new namespaces, ptrace, mount, bpf, keyctl, io_uring, memory out of the
watchdog's sight (memfd, System V), ``fallocate`` (it ignores the file size limit), leases (they stall the host's opens)
and set-id files. A foreign architecture or a call newer than this table does not get through. It does not read strings:
what a path may reach is bubblewrap's business.
"""

import errno
import struct
from collections.abc import Iterator

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_ANY, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_NEWEST = 470  # calls numbered from here on were unknown when this was written
_X32 = 0x40000000

_CLONE_NEW = 0x7E020000  # NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_CREATE = 0o100 | 0o20000000  # O_CREAT or O_TMPFILE: only then is the mode argument meant
_SET_ID = 0o6000
_AF_UNIX, _PR_SET_DUMPABLE, _F_SETLEASE, _F_SETPIPE_SZ, _TIOCSTI, _TIOCLINUX = 1, 4, 1024, 1031, 0x5412, 0x541C

# (name, x86_64, aarch64, errno, conditions); a condition is (argument, test, value), all must hold, none: always.
_Condition = tuple[int, str, int]
_WHEN: tuple[tuple[str, int, int, int, tuple[_Condition, ...]], ...] = (
    ("socket", 41, 198, errno.EAFNOSUPPORT, ((0, "not", _AF_UNIX),)),
    ("socketpair", 53, 199, errno.EAFNOSUPPORT, ((0, "not", _AF_UNIX),)),
    ("clone", 56, 220, errno.EPERM, ((0, "any", _CLONE_NEW),)),
    ("prctl", 157, 167, errno.EPERM, ((0, "is", _PR_SET_DUMPABLE),)),  # would hide memory from the watchdog
    ("fcntl", 72, 25, errno.EPERM, ((1, "is", _F_SETLEASE),)),
    ("fcntl", 72, 25, errno.EPERM, ((1, "is", _F_SETPIPE_SZ),)),
    ("ioctl", 16, 29, errno.EPERM, ((1, "is", _TIOCSTI),)),
    ("ioctl", 16, 29, errno.EPERM, ((1, "is", _TIOCLINUX),)),
    ("chmod", 90, -1, errno.EPERM, ((1, "any", _SET_ID),)),
    ("fchmod", 91, 52, errno.EPERM, ((1, "any", _SET_ID),)),
    ("fchmodat", 268, 53, errno.EPERM, ((2, "any", _SET_ID),)),
    ("fchmodat2", 452, 452, errno.EPERM, ((2, "any", _SET_ID),)),
    ("open", 2, -1, errno.EPERM, ((1, "any", _CREATE), (2, "any", _SET_ID))),
    ("openat", 257, 56, errno.EPERM, ((2, "any", _CREATE), (3, "any", _SET_ID))),
    ("creat", 85, -1, errno.EPERM, ((1, "any", _SET_ID),)),
)

# name: (x86_64, aarch64). ENOSYS where libraries then fall back on an older call, EPERM elsewhere.
_MISSING = {
    "clone3": (435, 435), "openat2": (437, 437), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186), "msgsnd": (69, 189),
    "msgrcv": (70, 188), "semget": (64, 190), "mq_open": (240, 180), "userfaultfd": (323, 282),
}  # fmt: skip
_REFUSED = {
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "mount_setattr": (442, 442), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "statmount": (457, 457), "listmount": (458, 458), "open_tree_attr": (467, 467),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "bpf": (321, 280), "perf_event_open": (298, 241), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "mknod": (133, -1), "mknodat": (259, 33), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "acct": (163, 89), "syslog": (103, 116),
    "lookup_dcookie": (212, 18), "vmsplice": (278, 75), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "iopl": (172, -1), "ioperm": (173, -1), "modify_ldt": (154, -1),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58), "uselib": (134, -1),
    "nfsservctl": (180, 42), "move_pages": (279, 239), "migrate_pages": (256, 238), "mbind": (237, 235),
    "set_mempolicy": (238, 237), "_sysctl": (156, -1), "sysfs": (139, -1), "ustat": (136, -1),
}  # fmt: skip
_FALLS_BACK = {"fallocate": (285, 47)}  # EOPNOTSUPP: glibc's posix_fallocate then writes, under the size limit


def program(machine: str) -> bytes:
    """The filter for a machine as ``os.uname().machine`` names it: an array of 8-byte ``struct sock_filter``.

    Raises ``ValueError`` for an architecture whose numbers are not known.
    """
    if machine not in ARCHITECTURES:
        raise ValueError(f"no system-call filter for {machine}")
    code = [_load(4), (_JUMP_EQ, 1, 0, ARCHITECTURES[machine]), (_RETURN, 0, 0, _KILL), _load(0)]
    if machine == "x86_64":
        code += [(_JUMP_GE, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    code += [(_JUMP_GE, 0, 1, _NEWEST), _refuse(errno.ENOSYS)]
    for number, error in _always(machine == "x86_64"):
        code += [(_JUMP_EQ, 0, 1, number), _refuse(error)]
    for _, intel, arm, error, conditions in _WHEN:
        number = intel if machine == "x86_64" else arm
        if number >= 0:
            code += _conditional(number, error, conditions)
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def numbers() -> Iterator[tuple[str, int, int]]:
    """Every call the filter names: (name, x86_64 number, aarch64 number); -1 where the architecture lacks it."""
    for table in (_MISSING, _REFUSED, _FALLS_BACK):
        for name, (intel, arm) in table.items():
            yield name, intel, arm
    for name, intel, arm, _, _ in _WHEN:
        yield name, intel, arm


_Instruction = tuple[int, int, int, int]


def _always(intel: bool) -> Iterator[tuple[int, int]]:
    for table, error in ((_MISSING, errno.ENOSYS), (_REFUSED, errno.EPERM), (_FALLS_BACK, errno.EOPNOTSUPP)):
        for pair in table.values():
            number = pair[0] if intel else pair[1]
            if number >= 0:
                yield number, error


def _conditional(number: int, error: int, conditions: tuple[_Condition, ...]) -> list[_Instruction]:
    """``if call == number and every condition: refuse``; leaves the call's number loaded for the next rule."""
    body: list[_Instruction] = []
    tail = 2 * len(conditions)  # instructions from the first condition to the refusal
    for index, (argument, test, value) in enumerate(conditions):
        past = tail - 2 * index - 1  # from this jump to just after the refusal
        # The low word only: all these arguments are ints in the kernel, which ignores the high one too.
        body.append(_load(16 + 8 * argument))
        if test == "any":
            body.append((_JUMP_ANY, 0, past, value))
        elif test == "is":
            body.append((_JUMP_EQ, 0, past, value))
        else:
            body.append((_JUMP_EQ, past, 0, value))
    return [(_JUMP_EQ, 0, len(body) + 2, number), *body, _refuse(error), _load(0)]


def _load(offset: int) -> _Instruction:
    return (_LOAD, 0, 0, offset)


def _refuse(error: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)
