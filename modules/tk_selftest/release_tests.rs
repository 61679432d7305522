// SPDX-License-Identifier: GPL-2.0

//! Where the suffix of `release_suffix` goes, in releases that the virtual machine's kernel hasn't.

#[allow(dead_code)]
#[path = "../release_suffix/suffix.rs"]
mod suffix;

use super::tk;

#[kernel::macros::kunit_tests(tk_release)]
mod tests {
    use super::{
        suffix::mark,
        tk::hooks::uname::Release, //
    };

    const SIZE: usize = 65;

    fn buffer(text: &[u8]) -> [u8; SIZE] {
        let mut buffer = [0xff; SIZE];
        buffer[..text.len()].copy_from_slice(text);
        buffer[text.len()] = 0;
        buffer
    }

    #[test]
    fn the_suffix_stands_before_the_third_dash() {
        for (text, marked) in [
            (&b"7.3.4"[..], &b"7.3.4_docker_guest"[..]),
            (b"", b"_docker_guest"),
            (b"5.4.119-19-0009.4", b"5.4.119-19-0009.4_docker_guest"),
            (
                b"5.4.119-1-tlinux4-0009.spec",
                b"5.4.119-1-tlinux4_docker_guest-0009.spec",
            ),
            (b"a-b-c-d-e-f", b"a-b-c_docker_guest-d-e-f"),
            (b"---", b"--_docker_guest-"),
        ] {
            let mut buffer = buffer(text);
            let mut release = Release::new(&mut buffer).unwrap();
            mark(&mut release);
            assert_eq!(release.text(), marked);
            assert_eq!(buffer[marked.len()], 0);
        }
    }

    #[test]
    fn a_release_that_would_be_too_long_stays() {
        // 51 and the suffix are 64, the most that fits.
        let mut fits = buffer(&[b'x'; 51]);
        mark(&mut Release::new(&mut fits).unwrap());
        assert_eq!(&fits[51..], b"_docker_guest\0");
        let before = buffer(&[b'x'; 52]);
        let mut after = before;
        mark(&mut Release::new(&mut after).unwrap());
        assert_eq!(after, before);
        // Nor does a text that has no end.
        assert!(Release::new(&mut [b'x'; SIZE]).is_none());
    }

    #[test]
    fn nothing_is_put_in_behind_the_end() {
        let mut buffer = buffer(b"abc");
        let mut release = Release::new(&mut buffer).unwrap();
        release.insert(4, b"x");
        assert_eq!(release.text(), b"abc");
        release.insert(3, b"x");
        release.insert(0, b"y");
        assert_eq!(release.text(), b"yabcx");
    }
}
