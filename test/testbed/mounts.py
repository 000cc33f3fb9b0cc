# Mounts file systems of FUSE without any library, for as long as it runs (needs root and /dev/fuse).
#   mounts.py hung N FOLDER    N whose server never answers, as a dead file server
#   mounts.py sized FOLDER     one of 100 MiB, half of it free, that counts in units of 4 KiB but has blocks of 1 MiB
import ctypes, os, struct, sys, time

libc = ctypes.CDLL("libc.so.6", use_errno=True)


def mount(path, source, kind):
    os.makedirs(path, exist_ok=True)
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fd
    if libc.mount(source, os.fsencode(path), kind, 0, options):
        sys.exit("mount: " + os.strerror(ctypes.get_errno()))
    return fd


# Requests and answers of <linux/fuse.h>: INIT, STATFS and GETATTR; FORGET and BATCH_FORGET have no answer.
def serve(fd):
    while True:
        request = os.read(fd, 1 << 20)
        _, operation, unique, *_ = struct.unpack_from("<IIQQIIII", request)
        if operation == 26:
            answer = struct.pack("<IIIIHHIIHHII", 7, 31, 65536, 0, 12, 10, 131072, 1, 0, 0, 0, 0) + b"\0" * 24
        elif operation == 17:
            answer = struct.pack("<QQQQQIIII", 25600, 12800, 12800, 1000, 900, 1 << 20, 255, 4096, 0) + b"\0" * 24
        elif operation == 3:
            attributes = struct.pack("<QQQQQQIIIIIIIIII", 1, *[0] * 8, 0o40755, 2, 0, 0, 0, 4096, 0)
            answer = struct.pack("<QII", 1, 0, 0) + attributes
        elif operation in (2, 42):
            continue
        else:
            os.write(fd, struct.pack("<IiQ", 16, -38, unique))
            continue
        os.write(fd, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)


if sys.argv[1] == "hung":
    held = [mount(f"{sys.argv[3]}/m{i}", b"deadhost:/export%d" % i, b"fuse") for i in range(int(sys.argv[2]))]
    print("mounted", flush=True)
    time.sleep(3600)
else:
    served = mount(sys.argv[2], b"server:/share", b"fuse.sshfs")
    print("mounted", flush=True)
    serve(served)
