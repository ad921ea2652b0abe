# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# See TakingPart.pm.
package RT::Queue;

use strict;
use warnings;
use RT::TakingPart;

RT::TakingPart::guard(__PACKAGE__);

1;
