//! Room that lists take.

/// A list in no more room than it takes. An allocator that is asked to shrink a block may leave it as it is, and
/// a device may have tens of thousands of small lists.
pub fn exact<T>(mut list: Vec<T>) -> Vec<T> {
    if list.len() == list.capacity() {
        return list;
    }
    let mut exact = Vec::with_capacity(list.len());
    exact.append(&mut list);
    exact
}
