# What emotag changes in the exiftool that it runs; nothing is changed on the disk.
use Image::ExifTool::XMP;
require 'Image/ExifTool/WriteXMP.pl';

# exiftool wraps a packet that it writes, if it is not wrapped, and marks it as writable or not.
# emotag puts packets back to the byte, and looks afterwards at what was written.
{
    no warnings 'redefine';
    *Image::ExifTool::XMP::ValidateXMP = sub ($;$) { 1 };
}

# With -stay_open, exiftool waits for ever, even if whoever started it was killed.
if ($^O ne 'MSWin32') {
    require POSIX;
    my $parent = getppid();
    my $look = sub { exit if getppid() != $parent; alarm 1 };
    # restarted: a read that is interrupted would be taken for an error
    POSIX::sigaction(POSIX::SIGALRM(),
        POSIX::SigAction->new($look, POSIX::SigSet->new, POSIX::SA_RESTART()));
    alarm 1;
}

1;
