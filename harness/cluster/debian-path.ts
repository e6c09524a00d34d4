/** Where programs for administrators are, which an ordinary user's PATH leaves out. */
export const debianPath = '/usr/sbin:/usr/bin:/sbin:/bin';
